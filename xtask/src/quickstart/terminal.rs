//! Commands in a terminal, with a person who answers questions.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a block of commands may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is typed when a question appears.
#[derive(Debug, Clone)]
pub struct Answer {
    question: String,
    keys: String,
}

impl Answer {
    /// An answer, and Enter.
    pub fn new(question: &str, answer: &str) -> Self {
        Self {
            question: question.to_owned(),
            keys: format!("{answer}\n"),
        }
    }

    /// A key that needs no Enter.
    pub fn key(question: &str, key: &str) -> Self {
        Self {
            question: question.to_owned(),
            keys: key.to_owned(),
        }
    }
}

/// Runs a command, which is to open a terminal, and types each answer once, when its question appears. Returns what was shown.
pub fn converse(command: &mut Command, answers: &[Answer]) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    let mut keyboard = child.stdin.take().expect("it is a pipe");
    let mut screen = child.stdout.take().expect("it is a pipe");
    let shown = Arc::new(Mutex::new(Vec::new()));
    let reader = {
        let shown = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut bytes) {
                shown.lock().expect("no panic").extend(&bytes[..n]);
            }
        })
    };
    let text = || String::from_utf8_lossy(&shown.lock().expect("no panic")).into_owned();
    let mut left = answers.to_vec();
    let mut answered = 0;
    let deadline = Instant::now() + TIMEOUT;
    let status = loop {
        let new = text();
        let new = new.get(answered..).unwrap_or_default();
        if let Some(at) = left.iter().position(|a| new.contains(&a.question)) {
            let answer = left.remove(at);
            answered += new.find(&answer.question).unwrap_or(0) + answer.question.len();
            let typed = keyboard.write_all(answer.keys.as_bytes());
            typed.map_err(|e| format!("{:?}: {e}", answer.question))?;
        }
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            break status;
        }
        if Instant::now() > deadline {
            drop((child.kill(), child.wait()));
            return Err(format!("no end after {TIMEOUT:?}:\n{}", text()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    drop(keyboard);
    drop(reader.join());
    if !status.success() {
        return Err(format!("{status}:\n{}", text()));
    }
    match left.as_slice() {
        [] => Ok(text()),
        [answer, ..] => Err(format!(
            "the question {:?} was not asked:\n{}",
            answer.question,
            text()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_gets_its_answer_and_all_must_be_asked() {
        let ask = "printf 'Name? '; read -r n; printf 'Sure? '; read -r s; echo \"$n $s\"";
        let sh = || {
            let mut command = Command::new("sh");
            command.args(["-c", ask]);
            command
        };
        let answers = [Answer::new("Sure?", "yes"), Answer::new("Name?", "et")];
        let shown = converse(&mut sh(), &answers).unwrap();
        assert!(shown.ends_with("et yes\n"), "{shown}");
        let more = [&answers[..], &[Answer::new("Why?", "")]].concat();
        let error = converse(&mut sh(), &more).unwrap_err();
        assert!(error.contains("\"Why?\" was not asked"), "{error}");
        converse(Command::new("sh").args(["-c", "exit 3"]), &[]).unwrap_err();
    }
}
