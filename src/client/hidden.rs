//! Texts that nobody is to see: passwords and tokens (I10).

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, BufRead, IsTerminal, Read, Write},
    path::Path,
};

use hermod_api::Code;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Longest password that is read; the API takes 1024 characters.
const BYTES_MAX: u64 = 8 << 10;

/// A password or token. It does not show itself, and does not stay in memory.
#[derive(Clone)]
pub(crate) struct Hidden(Zeroizing<String>);

impl Hidden {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text, for where it has to go.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// How somebody at a terminal is asked for a password.
#[derive(Clone, Copy)]
pub(crate) enum Prompt<'a> {
    /// One that exists.
    Present(&'a str),
    /// A new one, which is asked for twice.
    New(&'a str),
}

/// Reads a password: the first line of a file (`-` for standard input) if one is named, from the terminal without
/// showing it if there is one, else from standard input.
pub(crate) fn password(file: Option<&Path>, prompt: Prompt<'_>) -> Result<Hidden, Failure> {
    let (what, password) = match file {
        Some(file) if file != Path::new("-") => {
            let shown = format!("`{}`", file.display());
            let read = File::open(file).and_then(first_line);
            (shown, read)
        }
        None if io::stdin().is_terminal() => ("terminal".to_owned(), typed(prompt)),
        _ => ("standard input".to_owned(), first_line(io::stdin())),
    };
    let refused = |message: String| {
        Failure::new(Code::Configuration, message).with_hint(
            "type it at a terminal, or give a file whose first line it is with `--password-file`",
        )
    };
    let password = password.map_err(|error| refused(format!("{what}: {error}")))?;
    if password.reveal().is_empty() {
        return Err(refused(format!("{what} holds no password")));
    }
    Ok(password)
}

fn first_line(from: impl Read) -> io::Result<Hidden> {
    let mut line = Zeroizing::new(String::new());
    io::BufReader::new(from.take(BYTES_MAX)).read_line(&mut line)?;
    Ok(Hidden::new(line.trim_end_matches(['\r', '\n'])))
}

fn typed(prompt: Prompt<'_>) -> io::Result<Hidden> {
    let mut terminal = Terminal::open()?;
    match prompt {
        Prompt::Present(what) => terminal.ask(what),
        Prompt::New(what) => loop {
            let first = terminal.ask(what)?;
            let again = terminal.ask(&format!("{what}, again"))?;
            if first.reveal() == again.reveal() {
                return Ok(first);
            }
            terminal.say("they differ\n")?;
        },
    }
}

/// The terminal, which shows nothing of what is typed until this ends.
struct Terminal {
    file: File,
    before: Termios,
}

impl Terminal {
    fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&file)?;
        let mut quiet = before.clone();
        // Byte by byte and without signals: whoever gives up with Ctrl-C gets the terminal back as it was.
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&file, OptionalActions::Flush, &quiet)?;
        Ok(Self { file, before })
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())
    }

    fn ask(&mut self, what: &str) -> io::Result<Hidden> {
        self.say(&format!("{what}: "))?;
        let mut typed = Zeroizing::new(Vec::new());
        let mut byte = [0];
        loop {
            let end = self.file.read(&mut byte)? == 0;
            match byte[0] {
                b'\r' | b'\n' => break,
                // Ctrl-C, Ctrl-D, Ctrl-\.
                3 | 4 | 28 => return Err(self.given_up()),
                _ if end || typed.len() as u64 >= BYTES_MAX => return Err(self.given_up()),
                8 | 127 => backspace(&mut typed),
                // Ctrl-U.
                21 => typed.clear(),
                other => typed.push(other),
            }
        }
        self.say("\n")?;
        let text = std::str::from_utf8(&typed)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8"))?;
        Ok(Hidden::new(text))
    }

    fn given_up(&mut self) -> io::Error {
        // It is only a line break.
        drop(self.say("\n"));
        io::Error::new(io::ErrorKind::Interrupted, "given up")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(&self.file, OptionalActions::Flush, &self.before) {
            tracing::debug!(%error, "the terminal is gone");
        }
    }
}

/// Takes the last character away, all of its bytes.
fn backspace(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_it_does_not_show_itself() {
        let hidden = Hidden::new("hunter2");
        assert_eq!(format!("{hidden:?}"), "[redacted]");
    }

    #[test]
    fn the_first_line_is_the_password_and_the_rest_is_not() {
        assert_eq!(
            first_line("a b \r\nrest".as_bytes()).unwrap().reveal(),
            "a b "
        );
    }

    #[test]
    fn a_backspace_takes_a_whole_character() {
        let mut typed = "aé".as_bytes().to_vec();
        backspace(&mut typed);
        assert_eq!(typed, b"a");
        backspace(&mut typed);
        backspace(&mut typed);
        assert!(typed.is_empty());
    }
}
