//! The tree of a cluster: layout and picture (pure), and the components that draw and move it.

pub mod layout;
pub mod picture;
