//! Which part of the command line the cursor is in.

use clap::{Arg, ArgAction, Command};

/// What may be written at the cursor.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The command that the words in front have led to.
    pub(super) command: &'a Command,
    /// The names of the commands on the way there.
    pub(super) path: Vec<&'a str>,
    /// What is being written.
    pub(super) what: What<'a>,
    /// Flags that were given and count only once.
    pub(super) used: Vec<&'a str>,
}

/// A part of the command line.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// The name of a flag.
    Flag,
    /// A value, behind that many bytes of the word (`--flag=`).
    Value(&'a Arg, usize),
    /// A word: a command below, or a value of its own.
    Word(Option<&'a Arg>),
}

impl<'a> Place<'a> {
    /// Walks from `root`, which was built, along `words` to the word `current`.
    pub(super) fn find(root: &'a Command, words: &[String], current: &str) -> Self {
        let mut walk = Walk {
            command: root,
            path: Vec::new(),
            used: Vec::new(),
            awaited: None,
            position: 0,
            only_words: false,
        };
        for word in words {
            walk.step(word);
        }
        let what = walk.what(current);
        Self {
            command: walk.command,
            path: walk.path,
            what,
            used: walk.used,
        }
    }
}

struct Walk<'a> {
    command: &'a Command,
    path: Vec<&'a str>,
    used: Vec<&'a str>,
    /// The flag whose value comes next.
    awaited: Option<&'a Arg>,
    /// How many words with values of their own there were.
    position: usize,
    /// Behind `--`.
    only_words: bool,
}

impl<'a> Walk<'a> {
    fn step(&mut self, word: &str) {
        if self.awaited.take().is_some() {
            return;
        }
        if self.only_words || !word.starts_with('-') || word == "-" {
            let below = (self.position == 0 && !self.only_words)
                .then(|| self.command.find_subcommand(word))
                .flatten();
            match below {
                Some(below) => {
                    self.command = below;
                    self.path.push(below.get_name());
                }
                None => self.position += 1,
            }
            return;
        }
        if word == "--" {
            self.only_words = true;
            return;
        }
        let (flag, has_value) = self.flag(word);
        let Some(flag) = flag else {
            return;
        };
        if !matches!(flag.get_action(), ArgAction::Append | ArgAction::Count) {
            self.used.push(flag.get_id().as_str());
        }
        self.awaited = Some(flag).filter(|flag| takes_value(flag) && !has_value);
    }

    /// Returns the flag of a word, and whether its value is in the same word.
    fn flag(&self, word: &str) -> (Option<&'a Arg>, bool) {
        let mut flags = self.command.get_arguments();
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long
                .split_once('=')
                .map_or((long, false), |(n, _)| (n, true));
            let is_it = |flag: &&Arg| {
                let others = flag.get_all_aliases().unwrap_or_default();
                flag.get_long() == Some(name) || others.contains(&name)
            };
            return (flags.find(is_it), value);
        }
        let Some(short) = word.chars().nth(1) else {
            return (None, false);
        };
        let flag = flags.find(|flag| flag.get_short() == Some(short));
        (flag, word.chars().count() > 2)
    }

    fn what(&self, current: &str) -> What<'a> {
        if let Some(flag) = self.awaited {
            return What::Value(flag, 0);
        }
        if !self.only_words
            && current.starts_with("--")
            && let Some(at) = current.find('=')
            && let (Some(flag), _) = self.flag(current)
        {
            return What::Value(flag, at + 1);
        }
        if !self.only_words && current.starts_with('-') {
            return What::Flag;
        }
        let mut words = self.command.get_positionals();
        let last = self.command.get_positionals().last();
        let repeated = last.filter(|word| matches!(word.get_action(), ArgAction::Append));
        What::Word(words.nth(self.position).or(repeated))
    }
}

/// Says whether a flag has a value.
pub(super) fn takes_value(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Set | ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory as _;

    fn found(words: &str, current: &str) -> String {
        let mut root = Cli::command();
        root.build();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let place = Place::find(&root, &words, current);
        let what = match place.what {
            What::Flag => "flag".to_owned(),
            What::Value(flag, at) => format!("{}@{at}", flag.get_id()),
            What::Word(word) => word.map_or("word".into(), |word| format!("<{}>", word.get_id())),
        };
        format!("{} {what}", place.path.join(" ")).trim().to_owned()
    }

    #[test]
    fn the_cursor_is_placed_by_the_words_in_front() {
        let table = [
            ("", "qu", "word"),
            ("", "-", "flag"),
            ("query", "ra", "query <query>"),
            ("query --server", "htt", "query server@0"),
            ("query", "--server=htt", "query server@9"),
            ("query -o", "", "query output@0"),
            ("query -o json -q", "up", "query <query>"),
            ("-q --color never ctx use", "", "ctx use <name>"),
            ("query --", "-x", "query <query>"),
            ("series up", "do", "series <words>"),
            ("query up", "", "query word"),
            ("labels --match up", "", "labels <name>"),
        ];
        for (words, current, expected) in table {
            assert_eq!(found(words, current), expected, "{words} {current}");
        }
    }
}
