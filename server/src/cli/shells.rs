//! Completion of command lines by bash, zsh and fish, and the manual page: made from the same tables as the parser and the help.

use std::fmt::Write as _;

/// What may stand behind a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is a switch.
    Nothing,
    /// Any text.
    Text,
    /// A file.
    File,
    /// The name of a command.
    Command,
    /// One of these.
    Word(&'static [&'static str]),
}

/// A flag in all its spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Spellings with their dashes, the usual one first.
    pub spellings: Vec<String>,
    /// What may follow.
    pub takes: Takes,
    /// One line.
    pub help: &'static str,
}

/// A command: name, one line of help.
pub type Named = (&'static str, &'static str);

/// A program as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Name of the file.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// How it is called, a form a line.
    pub synopsis: &'static [&'static str],
    /// Words that may stand without a flag before them.
    pub words: &'static [&'static str],
    /// Flags.
    pub flags: Vec<Flag>,
    /// Commands, in groups with a title.
    pub groups: Vec<(&'static str, Vec<Named>)>,
    /// Sections of the manual page behind the commands: title, text.
    pub sections: &'static [(&'static str, &'static str)],
}

/// Promotion rules, in the order of how welcome a server is.
pub const PROMOTION_RULES: &[&str] = &["prefer", "neutral", "prefer_not", "must_not"];

/// Shells that can be told how to complete.
pub const SHELLS: &[&str] = &["bash", "zsh", "fish"];

impl Program {
    /// The text that a shell reads; `None` for a shell that is not among [`SHELLS`].
    pub fn completions(&self, shell: &str) -> Option<String> {
        match shell {
            "bash" => Some(self.bash()),
            "zsh" => Some(self.zsh()),
            "fish" => Some(self.fish()),
            _ => None,
        }
    }

    fn commands(&self) -> impl Iterator<Item = &Named> {
        self.groups.iter().flat_map(|(_, commands)| commands)
    }

    fn function(&self) -> String {
        format!("_{}", self.name.replace('-', "_"))
    }

    fn bash(&self) -> String {
        let (name, function) = (self.name, self.function());
        let commands: Vec<&str> = self.commands().map(|(name, _)| *name).collect();
        let commands = commands.join(" ");
        let mut cases = String::new();
        for flag in self.flags.iter().filter(|flag| flag.takes != Takes::Nothing) {
            let reply = match flag.takes {
                Takes::Command => "COMPREPLY=($(compgen -W \"$commands\" -- \"$current\"))".to_owned(),
                Takes::Word(words) => format!("COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))", words.join(" ")),
                Takes::File => "COMPREPLY=($(compgen -f -- \"$current\"))".to_owned(),
                _ => "COMPREPLY=()".to_owned(),
            };
            line(&mut cases, &format!("        {}) {reply}; return ;;", flag.spellings.join("|")));
        }
        let spellings: Vec<&str> = self.flags.iter().flat_map(|f| &f.spellings).map(String::as_str).collect();
        let (spellings, words) = (spellings.join(" "), self.words.join(" "));
        format!(
            "# bash completion for {name}; made by `{name} -c completions bash`\n\
             {function}() {{\n    local current=\"${{COMP_WORDS[COMP_CWORD]}}\" previous=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n    \
             local commands=\"{commands}\"\n    case \"$previous\" in\n{cases}        help) COMPREPLY=($(compgen -W \"$commands\" -- \
             \"$current\")); return ;;\n    esac\n    case \"$current\" in\n        -*) COMPREPLY=($(compgen -W \"{spellings}\" -- \
             \"$current\")) ;;\n        *) COMPREPLY=($(compgen -W \"{words}\" -- \"$current\")) ;;\n    esac\n}}\n\
             complete -F {function} {name}\n"
        )
    }

    fn zsh(&self) -> String {
        let (name, function) = (self.name, self.function());
        let mut commands = String::new();
        for (command, help) in self.commands() {
            line(&mut commands, &format!("        {}", single(&format!("{command}:{help}"))));
        }
        let mut flags = String::new();
        for flag in &self.flags {
            let help = bracketed(flag.help);
            let value = match flag.takes {
                Takes::Nothing => String::new(),
                Takes::Text => ":value: ".to_owned(),
                Takes::File => ":file:_files".to_owned(),
                Takes::Command => format!(":command:{function}_commands"),
                Takes::Word(words) => format!(":value:({})", words.join(" ")),
            };
            for spelling in &flag.spellings {
                line(&mut flags, &format!("        {} \\", single(&format!("{spelling}[{help}]{value}"))));
            }
        }
        let words = self.words.join(" ");
        format!(
            "#compdef {name}\n# zsh completion for {name}; made by `{name} -c completions zsh`\n{function}_commands() {{\n    \
             local -a commands=(\n{commands}    )\n    _describe command commands\n}}\n\n{function}() {{\n    _arguments \\\n{flags}        \
             '1:word:({words})' \\\n        '*: :_files'\n}}\n\nif [[ \"$funcstack[1]\" == {function} ]]; then\n    \
             {function} \"$@\"\nelse\n    compdef {function} {name}\nfi\n"
        )
    }

    fn fish(&self) -> String {
        let name = self.name;
        let mut text = format!(
            "# fish completion for {name}; made by `{name} -c completions fish`\ncomplete -c {name} -f\n\
             complete -c {name} -n __fish_is_first_arg -a '{}'\n",
            self.words.join(" ")
        );
        for flag in &self.flags {
            let mut call = format!("complete -c {name}");
            for spelling in &flag.spellings {
                let word = spelling.trim_start_matches('-');
                let kind = match (spelling.starts_with("--"), word.len()) {
                    (true, _) => "-l",
                    (false, 1) => "-s",
                    (false, _) => "-o",
                };
                // Writing to a text cannot fail.
                let _infallible = write!(call, " {kind} {word}");
            }
            let value = match flag.takes {
                Takes::Nothing | Takes::Command => "",
                Takes::Text => " -x",
                Takes::File => " -r -F",
                Takes::Word(_) => " -x",
            };
            let words = match flag.takes {
                Takes::Word(words) => format!(" -a '{}'", words.join(" ")),
                _ => String::new(),
            };
            if flag.takes == Takes::Command {
                for (command, help) in self.commands() {
                    line(&mut text, &format!("{call} -x -a {command} -d {}", single_fish(help)));
                }
            } else {
                line(&mut text, &format!("{call}{value}{words} -d {}", single_fish(flag.help)));
            }
        }
        text
    }

    /// The manual page, for `man`.
    pub fn manual(&self, version: &str) -> String {
        let (name, about) = (self.name, self.about);
        let title = name.to_uppercase();
        let mut page = format!(".TH {} 8 \"\" \"{name} {version}\" \"{about}\"\n.SH NAME\n", roff(&title));
        line(&mut page, &format!("{} \\- {}", roff(name), roff(about)));
        page.push_str(".SH SYNOPSIS\n");
        for form in self.synopsis {
            line(&mut page, &format!(".B {}\n.br", roff(form)));
        }
        page.push_str(".SH OPTIONS\n");
        for flag in &self.flags {
            let spellings: Vec<String> = flag.spellings.iter().map(|s| format!("\\fB{}\\fR", roff(s))).collect();
            let value = match flag.takes {
                Takes::Nothing => "",
                Takes::File => " \\fIFILE\\fR",
                Takes::Command => " \\fICOMMAND\\fR",
                _ => " \\fITEXT\\fR",
            };
            line(&mut page, &format!(".TP\n{}{value}\n{}", spellings.join(", "), roff(flag.help)));
        }
        page.push_str(".SH COMMANDS\n");
        for (title, commands) in &self.groups {
            if !title.is_empty() {
                line(&mut page, &format!(".SS {}", roff(title)));
            }
            for (command, help) in commands {
                line(&mut page, &format!(".TP\n\\fB{}\\fR\n{}", roff(command), roff(help)));
            }
        }
        for (title, text) in self.sections {
            line(&mut page, &format!(".SH {}\n{}", roff(title), roff(text)));
        }
        page
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a text cannot fail.
    let _infallible = writeln!(text, "{line}");
}

/// A word in single quotes for bash and zsh.
fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A word in single quotes for fish.
fn single_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Help within brackets of zsh's `_arguments`.
fn bracketed(text: &str) -> String {
    text.replace('[', "(").replace(']', ")")
}

/// Text that the formatter of manual pages takes as it is.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    let guarded = escaped.lines().map(|l| if l.starts_with(['.', '\'']) { format!("\\&{l}") } else { l.to_owned() });
    guarded.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        let flag = |spellings: &[&str], takes, help| Flag {
            spellings: spellings.iter().map(|s| (*s).to_owned()).collect(),
            takes,
            help,
        };
        Program {
            name: "prog-x",
            about: "does things",
            synopsis: &["prog-x -c COMMAND"],
            words: &["http"],
            flags: vec![
                flag(&["-c"], Takes::Command, "what: to do"),
                flag(&["-o", "--owner"], Takes::Text, "who's [asking]"),
                flag(&["-debug"], Takes::Nothing, "more"),
                flag(&["-rule"], Takes::Word(&["a", "b"]), "which"),
                flag(&["-config"], Takes::File, "file"),
            ],
            groups: vec![("All", vec![("topology", "Draw"), ("topology-tags", "Draw the cluster's tags")])],
            sections: &[("EXIT STATUS", ".0 is fine")],
        }
    }

    #[test]
    fn each_shell_gets_all_commands_and_flags() {
        for shell in SHELLS {
            let text = program().completions(shell).expect("known");
            for word in ["topology-tags", "owner", "debug", "prog-x"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
        assert_eq!(program().completions("tcsh"), None);
        assert!(program().bash().contains("-o|--owner) COMPREPLY=(); return ;;"));
        assert!(program().zsh().contains("'-o[who'\\''s (asking)]:value: ' \\\n"));
        assert!(program().fish().contains("complete -c prog-x -s o -l owner -x -d 'who\\'s [asking]'\n"));
        assert!(program().fish().contains("complete -c prog-x -o debug -d 'more'\n"));
    }

    #[test]
    fn the_manual_page_has_its_sections_and_no_stray_requests() {
        let page = program().manual("1.0");
        for part in
            [".TH PROG\\-X 8", ".SH NAME\nprog\\-x \\- does things\n", "\\fBtopology\\-tags\\fR\n", "\\&.0 is fine"]
        {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
}
