// Every behaviour is a module of its own; pages work without any of them.
import "./merge.js";
import "./actions.js";
import "./composer.js";
import "./dialogs.js";
import "./frame.js";
import "./keyboard.js";
import "./live.js";
import "./messages.js";
import "./palette.js";
import "./panes.js";
import "./reveal.js";
import "./search.js";
import "./selection.js";
import "./settings.js";
import "./swipe.js";
import "./thumbs.js";
import "./toasts.js";
