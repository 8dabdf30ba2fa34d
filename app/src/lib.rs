//! What the browser and the server share.
