// Before anything is drawn: the colours that were chosen here before, if they are not the system's.
"use strict";
try {
	const theme = localStorage.getItem("theme");
	if (theme === "dark" || theme === "light")
		document.documentElement.dataset.theme = theme;
} catch (e) {
	// No storage: the system's colours.
}
