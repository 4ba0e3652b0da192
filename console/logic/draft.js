// A form over a record that others may change meanwhile: only what was touched here is kept
// apart, so that saving a full replacement does not undo somebody else's change.

export const begin = () => ({});

const same = (a, b) => Object.is(a, b) ||
  (Array.isArray(a) && Array.isArray(b) && JSON.stringify(a) === JSON.stringify(b));

export const edit = (changes, base, name, value) => {
  const { [name]: _, ...rest } = changes;
  return same(base?.[name], value) ? rest : { ...rest, [name]: value };
};

export const merge = (base, changes) => ({ ...base, ...changes });

export const isDirty = (changes) => Object.keys(changes).length > 0;
