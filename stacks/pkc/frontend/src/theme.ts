/** Before anything is drawn: the theme that was chosen, or the system's. */
const chosen = localStorage.getItem('pkc.theme');
if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset['theme'] = chosen;
export {};
