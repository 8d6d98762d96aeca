//! The commands in docs/quickstart.md.

/// A block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The number of the chapter that it is in, as in `## 3. Install`.
    pub chapter: u32,
    /// The commands.
    pub commands: String,
}

/// All blocks of commands, in order.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut chapter = 0;
    let mut commands: Option<String> = None;
    for line in document.lines() {
        match (&mut commands, line) {
            (None, "```sh") => commands = Some(String::new()),
            (None, line) => {
                let number = line.strip_prefix("## ").and_then(|l| l.split('.').next());
                chapter = number.and_then(|n| n.parse().ok()).unwrap_or(chapter);
            }
            (Some(text), "```") => {
                let commands = std::mem::take(text);
                blocks.push(Block { chapter, commands });
            }
            (Some(text), line) => *text += &format!("{line}\n"),
        }
        if line == "```" {
            commands = None;
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_commands_are_found_with_their_chapter() {
        let text = "# x\n## 1. A\n```sh\na\nb\n```\n```text\nno\n```\n## 2. B\n```sh\nc\n```\n";
        let block = |chapter, commands: &str| Block {
            chapter,
            commands: commands.to_owned(),
        };
        assert_eq!(blocks(text), [block(1, "a\nb\n"), block(2, "c\n")]);
    }

    #[test]
    fn quickstart_has_commands_for_bot_and_server() {
        let blocks = blocks(include_str!("../../../docs/quickstart.md"));
        let chapters: Vec<u32> = blocks.iter().map(|block| block.chapter).collect();
        assert_eq!(chapters, [2, 2, 3, 3, 4, 5]);
    }
}
