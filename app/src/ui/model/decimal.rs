//! Numbers of the picture as text. The formatting of floating-point numbers by the standard library is 25 kB of program; the
//! picture wants a few decimals of small numbers.

use std::fmt;

/// A number with at most so many decimals; zeros at the end are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal(pub f64, pub u32);

/// A length or place: a hundredth of a pixel is more than anybody sees.
pub fn px(value: f64) -> Decimal {
    Decimal(value, 2)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10_u32.pow(self.1.min(6));
        // Saturates for what no picture holds.
        #[allow(clippy::cast_possible_truncation)]
        let parts = (self.0 * f64::from(one)).round() as i64;
        let one = u64::from(one);
        let (whole, mut rest) = (parts.unsigned_abs() / one, parts.unsigned_abs() % one);
        if parts < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if rest > 0 {
            f.write_str(".")?;
        }
        let mut unit = one / 10;
        while rest > 0 {
            write!(f, "{}", rest / unit.max(1))?;
            rest %= unit.max(1);
            unit /= 10;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_more_is_written_than_is_needed() {
        for (value, digits, text) in [
            (0.0, 2, "0"),
            (12.0, 2, "12"),
            (12.34567, 2, "12.35"),
            (-0.5, 2, "-0.5"),
            (0.05, 2, "0.05"),
            (-0.001, 2, "0"),
            (99.999, 2, "100"),
            (0.1234, 4, "0.1234"),
            (63.7, 0, "64"),
            (1.002, 3, "1.002"),
        ] {
            assert_eq!(Decimal(value, digits).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_the_number(value in -1e6..1e6f64) {
            let read: f64 = px(value).to_string().parse().expect("a number");
            prop_assert!((read - value).abs() <= 0.005 + 1e-9);
        }
    }
}
