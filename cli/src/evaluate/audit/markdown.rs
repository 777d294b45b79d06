//! Prints a page as Markdown (GitHub's, because of its tables). Charts are omitted, because tables contain their figures.

use std::fmt::Write as _;

use super::document::{Block, Cell, Document, Table, spans};
use super::flags::Verdict;

/// Prints the page as Markdown.
pub fn print(document: &Document) -> String {
    let mut text = format!("# {}\n\n", escaped(&document.title));
    for run in &document.runs {
        let letter = if run.letter.is_empty() { String::new() } else { format!("**{}**: ", run.letter) };
        let _ = writeln!(text, "- {letter}{}: {}", code(&run.name), escaped(&run.line));
        for why in &run.unread {
            let _ = writeln!(text, "  - **could not be read**: {}", escaped(why));
        }
    }
    let _ = writeln!(text, "\n## Flags: {} raised\n", document.raised());
    flags(document, &mut text);
    for block in &document.blocks {
        match block {
            Block::Heading(title) => {
                let _ = writeln!(text, "## {}\n", escaped(title));
            }
            Block::Text(words) => {
                let _ = writeln!(text, "{}\n", worded(words));
            }
            Block::Table(table) => print_table(table, &mut text),
            Block::Chart(_) => {}
            Block::Code { caption, text: lines } => {
                let fence = "`".repeat(longest_run(lines).max(2) + 1);
                let _ =
                    writeln!(text, "{}\n\n{fence}toml\n{}\n{fence}\n", escaped(caption), lines.trim_end());
            }
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn flags(document: &Document, text: &mut String) {
    let runs = document.runs.iter().map(|run| match run.letter.as_str() {
        "" => "verdict",
        letter => letter,
    });
    let head: Vec<&str> = ["flag"].into_iter().chain(runs).collect();
    let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for row in &document.flags {
        let verdict = |(_, verdict, figures): &(String, Verdict, String)| {
            let words = match verdict {
                Verdict::Raised => "**RAISED**",
                other => other.words(),
            };
            format!("{words}: {}", worded(figures))
        };
        let cells: Vec<String> = row.verdicts.iter().map(verdict).collect();
        let _ = writeln!(text, "| {} | {} |", escaped(row.name), cells.join(" | "));
    }
    text.push_str("\nThe rules:\n\n");
    for row in &document.flags {
        let _ = writeln!(text, "- *{}*: {}", escaped(row.name), worded(&row.rule));
    }
    text.push('\n');
}

fn print_table(table: &Table, text: &mut String) {
    if table.rows.is_empty() {
        return;
    }
    if !table.caption.is_empty() {
        let _ = writeln!(text, "### {}\n", escaped(&table.caption));
    }
    let head: Vec<String> = table.head.iter().map(|name| escaped(name)).collect();
    let figures = |at: usize| table.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Figure(_))));
    let rule: String = (0..head.len()).map(|at| if figures(at) { " ---: |" } else { " --- |" }).collect();
    let _ = writeln!(text, "| {} |\n|{rule}", head.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
    if !table.note.is_empty() {
        let _ = writeln!(text, "{}\n", worded(&table.note));
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(words) | Cell::Figure(words) => worded(words),
        Cell::Code(words) => code(words),
        Cell::Missing(words) => format!("*{}*", escaped(words)),
    }
}

/// Escapes text and marks its code.
fn worded(words: &str) -> String {
    // Spaces between text and code belong to neither.
    let words = one_line(words);
    spans(&words).into_iter().map(|(typed, part)| if typed { code(part) } else { escape(part) }).collect()
}

/// Code on one line. A bar must be escaped even in code, because it ends a table's cell.
fn code(words: &str) -> String {
    let words = one_line(words).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&words) + 1);
    // A space separates a backtick at an end from the fence.
    let pad = if words.starts_with('`') || words.ends_with('`') || words.is_empty() { " " } else { "" };
    format!("{fence}{pad}{words}{pad}{fence}")
}

/// Largest number of consecutive backticks.
fn longest_run(words: &str) -> usize {
    words.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Escapes everything that Markdown would interpret as markup.
fn escaped(words: &str) -> String {
    escape(&one_line(words))
}

fn escape(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '&' => text.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '>' => {
                text.push('\\');
                text.push(c);
            }
            c => text.push(c),
        }
    }
    text
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a|b <b>x</b>\n# *y* [z](w)"), "a\\|b &lt;b\\>x&lt;/b\\> \\# \\*y\\* \\[z\\](w)");
        assert_eq!(worded("over `a_b` * 2"), "over `a_b` \\* 2");
        assert_eq!(code("exec:a | b"), "`exec:a \\| b`");
        assert_eq!(code("echo `x``"), "``` echo `x`` ```");
        assert_eq!(code(""), "`  `");
    }
}
