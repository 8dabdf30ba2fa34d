//! What surrounds every page: header, banner, notices, the palette, and small parts that all pages use.

pub mod act;
pub mod banner;
pub mod cluster_list;
pub mod form;
pub mod header;
pub mod icon;
pub mod notice_list;
pub mod palette;
pub mod parts;
