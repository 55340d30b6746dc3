//! A page's fenced blocks: one with a second word in its first line is the file of that name, a `console` block is commands and what
//! they print.

/// What a page asks for, in its order.
pub(crate) enum Step {
    File {
        name: String,
        text: String,
    },
    /// Without the `$`, and the lines below it.
    Command {
        line: String,
        printed: Vec<String>,
    },
    /// What the clusters at an address do from now on: `dies` or `returns`.
    Event {
        address: String,
        what: String,
    },
}

pub(crate) fn read(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match info.split_once(' ') {
            Some((_, name)) => steps.push(Step::File {
                name: name.to_owned(),
                text: block.join("\n") + "\n",
            }),
            None => {
                assert_eq!(info, "console", "a block is a file or commands");
                console(&block, &mut steps);
            }
        }
    }
    steps
}

fn console(block: &[&str], steps: &mut Vec<Step>) {
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step::Command {
                line: command.to_owned(),
                printed: Vec::new(),
            });
        } else if let Some(event) = line.strip_prefix("# ") {
            let (address, what) = event.split_once(' ').unwrap();
            steps.push(Step::Event {
                address: address.to_owned(),
                what: what.to_owned(),
            });
        } else if let Some(Step::Command { printed, .. }) = steps.last_mut() {
            printed.push((*line).to_owned());
        } else {
            panic!("{line:?} stands below no command");
        }
    }
}
