//! Printing: tables and JSON on standard output, errors on standard error.

#![expect(clippy::print_stderr, reason = "this is where a command line prints")]

use serde_json::Value;

/// Prints an error the way all subcommands do.
pub(super) fn error(message: &str) {
    eprintln!("lifeboat: {message}");
}

/// Prints a line; a closed pipe is not worth a word.
pub(super) fn line(text: impl AsRef<str>) {
    use std::io::Write as _;
    let _closed = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

pub(super) fn json(value: &Value) {
    line(serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()));
}

/// Prints rows under headings, columns as wide as their widest cell.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let print = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width));
        line(padded.collect::<Vec<_>>().join("   ").trim_end());
    };
    print(
        &headings
            .iter()
            .map(|&heading| heading.to_owned())
            .collect::<Vec<_>>(),
    );
    for row in &rows {
        print(row);
    }
}

/// What others wrote moves no cursor and breaks no row.
fn printable(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    for c in cell.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_told_and_not_sent() {
        assert_eq!(printable("eu – 1"), "eu – 1");
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
    }
}
