//! A colour for each data centre that is the same on every page and after every restart, from a set that
//! colour-blind people can tell apart (Okabe and Ito). The name always stands beside it.

/// Colours in the set (`style/tokens.css`, `--dc-0` ...).
pub const COLOURS: u32 = 7;

/// The number of a data centre's colour; `None` where the data centre is not known.
///
/// By the name alone (FNV-1a), so that it depends neither on the cluster nor on which others there are.
pub fn colour(name: &str) -> Option<u32> {
    if name.is_empty() {
        return None;
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Some((hash ^ (hash >> 16)) % COLOURS)
}

/// Class of the style sheet for a data centre.
pub fn class(name: &str) -> &'static str {
    match colour(name) {
        Some(0) => "dc-0",
        Some(1) => "dc-1",
        Some(2) => "dc-2",
        Some(3) => "dc-3",
        Some(4) => "dc-4",
        Some(5) => "dc-5",
        Some(_) => "dc-6",
        None => "dc-none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_centre_keeps_its_colour_and_usual_names_differ() {
        assert_eq!(colour("dc1"), colour("dc1"));
        assert_eq!(colour(""), None);
        assert_ne!(colour("dc1"), colour("dc2"));
        assert_ne!(class("us-east-1"), class("eu-west-1"));
    }
}
