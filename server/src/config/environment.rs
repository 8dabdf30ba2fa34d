//! Substitution of `${NAME}` in passwords: section 4 of the configuration document.

/// The name asked for when `value` contains `${NAME}`: all between the first `${` and the last `}`.
#[must_use]
pub fn variable_name(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("${")?;
    rest.rsplit_once('}').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("${X}", Some("X"))]
    #[case("pre${X}post", Some("X"))]
    #[case("${A}${B}", Some("A}${B"))]
    #[case("${}", Some(""))]
    #[case("$X", None)]
    #[case("${X", None)]
    #[case("}${X", None)]
    #[case("", None)]
    fn finds_the_name(#[case] value: &str, #[case] expected: Option<&str>) {
        assert_eq!(variable_name(value), expected);
    }
}
