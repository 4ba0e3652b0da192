// Users by name over all organizations: the API searches one at a time, so a few are asked at once
// until there is enough to show. `ask(organization)` answers users; nothing here fetches.

const AT_ONCE = 3;
export const ENOUGH = 8;

/** `onFound(hits)` hears all hits so far, `{user, organization}` in order of the organizations.
 *  `wanted()` turns false once somebody typed on: nothing more is asked or told then. Resolves to
 *  whether every organization that was asked has answered. */
export async function searchUsers({ organizations, ask, wanted, onFound }) {
  const answers = organizations.map(() => []);
  let next = 0;
  let complete = true;
  const hits = () => answers.flat().slice(0, ENOUGH);
  const work = async () => {
    while (wanted() && next < organizations.length && hits().length < ENOUGH) {
      const at = next;
      const organization = organizations[at];
      next += 1;
      try {
        const users = await ask(organization);
        answers[at] = users.map((user) => ({ user, organization }));
      } catch {
        complete = false;
      }
      if (wanted() && answers[at].length > 0) onFound(hits());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return complete;
}
