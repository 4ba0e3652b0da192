// Applies the theme chosen in this browser before anything is painted: a classic script because
// those run before the first paint, and a file because the policy allows nothing inline.
(() => {
  const chosen = localStorage.getItem('theme');
  if (chosen === 'light' || chosen === 'dark') {
    document.documentElement.dataset.theme = chosen;
  }
})();
