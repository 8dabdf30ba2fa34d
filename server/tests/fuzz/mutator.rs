//! Texts made from a corpus, and the loop that tries them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// What parsers stumble over: ends of number ranges, separators, quotes, what is longer in bytes than in characters.
const SPICES: [&str; 58] = [
    "",
    "0",
    "1",
    "-1",
    "-",
    "--",
    "+",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e999",
    "0x1F",
    "٣",
    ":",
    "::",
    ",",
    ",,",
    "=",
    "~",
    "!",
    "%",
    "%2F",
    "%zz",
    "%",
    "/",
    "//",
    "[",
    "]",
    "{",
    "}",
    "{}",
    "(",
    ")*+",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\0",
    "é",
    "ß",
    "İ",
    "😀",
    "\u{2028}",
    "\u{feff}",
    "null",
    "_",
];

/// Tries every entry of the corpus as it stands, then texts made from them, against the law.
pub fn run(name: &str, corpus: &str, share: u64, law: fn(&str)) {
    let entries: Vec<&str> = corpus.split("\n%%\n").map(|entry| entry.strip_suffix('\n').unwrap_or(entry)).collect();
    assert!(entries.len() >= 5, "{name}: the corpus has {} entries only", entries.len());
    for entry in &entries {
        check(name, "of the corpus", entry, law);
    }
    let cases = number("FUZZ_CASES").unwrap_or(share);
    let seed = number("FUZZ_SEED").unwrap_or(20_300_102);
    let mut dice = StdRng::seed_from_u64(seed);
    for case in 0..cases {
        let text = mutated(&mut dice, &entries);
        check(name, &format!("case {case} of seed {seed}"), &text, law);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}: no number: {text:?}")))
}

fn check(name: &str, which: &str, text: &str, law: fn(&str)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| law(text))) {
        eprintln!("{name}: {which} breaks the law: {text:?}");
        resume_unwind(panic);
    }
}

/// One to six changes of one entry.
fn mutated(dice: &mut StdRng, entries: &[&str]) -> String {
    let pick = |dice: &mut StdRng| entries[dice.random_range(0..entries.len())];
    let mut text: Vec<char> = pick(dice).chars().collect();
    for _ in 0..dice.random_range(1..=6) {
        let from = dice.random_range(0..=text.len());
        let to = dice.random_range(from..=text.len().min(from + 12));
        match dice.random_range(0..8) {
            0 => drop(text.drain(from..to)),
            1 => insert(&mut text, from, SPICES[dice.random_range(0..SPICES.len())].chars()),
            2 => {
                let spice = SPICES[dice.random_range(0..SPICES.len())];
                drop(text.splice(from..to, spice.chars()));
            }
            3 => {
                let again: Vec<char> = text[from..to].to_vec();
                insert(&mut text, from, again.into_iter());
            }
            4 => {
                let other: Vec<char> = pick(dice).chars().collect();
                let cut = dice.random_range(0..=other.len());
                text.truncate(from);
                text.extend(&other[cut..]);
            }
            5 => text.truncate(from),
            6 => {
                if let Some(character) = text.get_mut(from) {
                    *character = other_case(*character);
                }
            }
            _ => {
                let character = char::from_u32(dice.random_range(0..0x3000)).unwrap_or('\u{fffd}');
                text.insert(from, character);
            }
        }
        // Long texts are a case of their own elsewhere; here they would only cost time.
        text.truncate(4_000);
    }
    text.into_iter().collect()
}

fn insert(text: &mut Vec<char>, at: usize, what: impl Iterator<Item = char>) {
    drop(text.splice(at..at, what));
}

fn other_case(character: char) -> char {
    if character.is_lowercase() {
        character.to_uppercase().next().unwrap_or(character)
    } else {
        character.to_lowercase().next().unwrap_or(character)
    }
}
