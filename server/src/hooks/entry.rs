//! One item of a list.

/// A command and whether somebody waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Text of the script.
    pub command: String,
    /// Nobody waits for it.
    pub asynchronous: bool,
}

impl Entry {
    /// Trims, and takes a trailing `&` for "asynchronous" (`spec/config.md` 8.1). A trailing `&&` is cut just so: what
    /// would follow it is not there.
    pub fn parse(item: &str) -> Self {
        let trimmed = item.trim();
        let command = trimmed.trim_end_matches(|c: char| c == '&' || c.is_whitespace());
        let asynchronous = trimmed.ends_with('&');
        Self { command: if asynchronous { command } else { trimmed }.to_owned(), asynchronous }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("  touch a ", "touch a", false)]
    #[case("touch a &", "touch a", true)]
    #[case("touch a && touch b&& ", "touch a && touch b", true)]
    #[case("a & b", "a & b", false)]
    fn a_trailing_ampersand_means_that_nobody_waits(
        #[case] item: &str,
        #[case] command: &str,
        #[case] asynchronous: bool,
    ) {
        assert_eq!(Entry::parse(item), Entry { command: command.to_owned(), asynchronous });
    }
}
