//! What was found, and the text of it.

use std::fmt::Write as _;

use serde::Serialize;

/// How much a piece of advice weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// All is well.
    Fine,
    /// Good to know; nothing has to be done.
    Note,
    /// Something must be done, or does not work.
    Must,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is about, one sentence.
    pub text: String,
    /// Statements that put it right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
}

impl Advice {
    /// All is well.
    pub fn fine(text: impl Into<String>) -> Self {
        Self { weight: Weight::Fine, text: text.into(), statements: Vec::new() }
    }

    /// Good to know.
    pub fn note(text: impl Into<String>) -> Self {
        Self { weight: Weight::Note, ..Self::fine(text) }
    }

    /// Something must be done.
    pub fn must(text: impl Into<String>) -> Self {
        Self { weight: Weight::Must, ..Self::fine(text) }
    }

    /// What puts it right.
    #[must_use]
    pub fn with(mut self, statements: Vec<String>) -> Self {
        self.statements = statements;
        self
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// What it is about.
    pub title: String,
    /// What was found.
    pub advice: Vec<Advice>,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Configuration files that were read.
    pub files: Vec<String>,
    /// What was found, by topic.
    pub topics: Vec<Topic>,
}

impl Report {
    /// Something must be done.
    pub fn must_act(&self) -> bool {
        self.count() > 0
    }

    fn count(&self) -> usize {
        self.topics.iter().flat_map(|topic| &topic.advice).filter(|advice| advice.weight == Weight::Must).count()
    }

    /// For people: a topic a paragraph, what must be done marked with `!`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        let files = if self.files.is_empty() { "no file: all defaults".to_owned() } else { self.files.join(", ") };
        let _infallible = writeln!(text, "read: {files}");
        for topic in &self.topics {
            let _infallible = writeln!(text, "\n{}", topic.title);
            for advice in &topic.advice {
                let mark = match advice.weight {
                    Weight::Fine => "ok",
                    Weight::Note => "- ",
                    Weight::Must => "! ",
                };
                let _infallible = writeln!(text, "  {mark} {}", advice.text);
                for statement in &advice.statements {
                    let _infallible = writeln!(text, "       {statement}");
                }
            }
        }
        let result = match self.count() {
            0 => "nothing has to be done".to_owned(),
            1 => "1 thing must be done, marked !".to_owned(),
            count => format!("{count} things must be done, marked !"),
        };
        let _infallible = writeln!(text, "\n{result}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_done_is_marked_and_counted() {
        let mut report = Report {
            files: vec!["a.json".to_owned()],
            topics: vec![Topic {
                title: "server db1:3306".to_owned(),
                advice: vec![Advice::fine("answers"), Advice::note("is old")],
            }],
        };
        assert!(!report.must_act());
        assert!(report.text().ends_with("\nnothing has to be done\n"));
        report.topics[0].advice.push(Advice::must("may not read").with(vec!["GRANT X;".to_owned()]));
        assert!(report.must_act());
        assert_eq!(
            report.text(),
            "read: a.json\n\nserver db1:3306\n  ok answers\n  -  is old\n  !  may not read\n       GRANT X;\n\n\
             1 thing must be done, marked !\n"
        );
    }
}
