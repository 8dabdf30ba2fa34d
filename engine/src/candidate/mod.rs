//! Who is promoted, and why not the others.

mod settings;

pub use settings::ChoiceSettings;
