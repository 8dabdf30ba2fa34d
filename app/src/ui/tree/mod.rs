//! The tree of a cluster: layout and picture (pure), and the components that draw and move it.

pub mod layout;
pub mod picture;

#[cfg(feature = "ui")]
mod drawing;
#[cfg(feature = "ui")]
mod edge;
#[cfg(feature = "ui")]
mod gestures;
#[cfg(feature = "ui")]
mod keys;
#[cfg(feature = "ui")]
mod minimap;
#[cfg(feature = "ui")]
mod node;
#[cfg(feature = "ui")]
pub mod pane;
