//! Prints a page as one HTML file. It loads nothing, runs no scripts, has light and dark colours, and works on phones.

use std::fmt::Write as _;

use super::chart;
use super::document::{Block, Cell, Document, FlagRow, RunHead, Table, spans};
use super::flags::Verdict;

const STYLE: &str = concat!(include_str!("../../web/files/palette.css"), include_str!("page.css"));

/// Prints the page as HTML that is also well-formed XML.
pub fn print(document: &Document) -> String {
    let names: Vec<&str> = document.runs.iter().map(|run| run.name.as_str()).collect();
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{} · {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&document.title),
        escaped(&names.join(", "))
    );
    head(document, &mut html);
    flags(document, &mut html);
    // A heading begins a section; consecutive charts share a row.
    let (mut in_section, mut in_charts) = (false, false);
    for block in &document.blocks {
        let is_chart = matches!(block, Block::Chart(_));
        if in_charts && !is_chart {
            html.push_str("</div>\n");
            in_charts = false;
        }
        match block {
            Block::Heading(title) => {
                html.push_str(if in_section { "</section>\n" } else { "" });
                let _ = writeln!(html, "<section>\n<h2>{}</h2>", escaped(title));
                in_section = true;
            }
            Block::Text(words) => {
                let _ = writeln!(html, "<p class=\"lead\">{}</p>", worded(words));
            }
            Block::Table(table) => print_table(table, &mut html),
            Block::Chart(picture) => {
                if !in_charts {
                    html.push_str("<div class=\"charts\">\n");
                    in_charts = true;
                }
                let _ = writeln!(
                    html,
                    "<figure><figcaption>{}</figcaption>{}</figure>",
                    escaped(&picture.title),
                    chart::draw(picture)
                );
            }
            Block::Code { caption, text } => {
                let _ = writeln!(
                    html,
                    "<details><summary>{}</summary><pre><code>{}</code></pre></details>",
                    escaped(caption),
                    escaped(text.trim_end())
                );
            }
        }
    }
    html.push_str(if in_charts { "</div>\n" } else { "" });
    html.push_str(if in_section { "</section>\n" } else { "" });
    html + "</main>\n</body>\n</html>\n"
}

fn head(document: &Document, html: &mut String) {
    let _ =
        writeln!(html, "<header>\n<p class=\"brand\">spo {}</p>", escaped(&document.title.to_lowercase()));
    for (at, run) in document.runs.iter().enumerate() {
        let RunHead { letter, name, line, unread } = run;
        let letter = letter_of(letter, at);
        let _ = writeln!(html, "<h1>{letter}{}</h1>\n<p class=\"soft\">{}</p>", escaped(name), escaped(line));
        if !unread.is_empty() {
            let items: String = unread.iter().map(|why| format!("<li>{}</li>", escaped(why))).collect();
            let _ = writeln!(
                html,
                "<div class=\"unread\"><strong>Could not be read</strong><ul>{items}</ul></div>"
            );
        }
    }
    html.push_str("</header>\n");
}

fn letter_of(letter: &str, at: usize) -> String {
    if letter.is_empty() {
        return String::new();
    }
    format!("<span class=\"letter r{}\">{}</span> ", at % 6, escaped(letter))
}

fn flags(document: &Document, html: &mut String) {
    let title = match document.raised() {
        0 => "No flag is raised".to_string(),
        1 => "One flag is raised".into(),
        n => format!("{n} flags are raised"),
    };
    let unknown = document.flags.iter().filter(|row| row.worst() == Verdict::NotChecked).count();
    let rest = match unknown {
        0 => String::new(),
        1 => ", one could not be checked".into(),
        n => format!(", {n} could not be checked"),
    };
    let _ = writeln!(html, "<section class=\"flags\">\n<h2>{title}{rest}</h2>\n<ul>");
    document.flags.iter().for_each(|row| flag(row, html));
    html.push_str("</ul>\n");
    html.push_str(
        "<p class=\"note\">Each flag is raised by its rule only. A flag that is not raised proves nothing, because a rule only \
         checks its own figures. Intervals are 95 % intervals.</p>\n</section>\n",
    );
}

fn flag(row: &FlagRow, html: &mut String) {
    let _ = write!(html, "<li class=\"{}\"><h3>{}</h3>", class(row.worst()), escaped(row.name));
    for (at, (letter, verdict, figures)) in row.verdicts.iter().enumerate() {
        let _ = write!(
            html,
            "<p>{}<span class=\"verdict {}\">{}</span> {}</p>",
            letter_of(letter, at),
            class(*verdict),
            verdict.words(),
            worded(figures)
        );
    }
    let _ = writeln!(html, "<p class=\"rule\">{}</p></li>", worded(&row.rule));
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Raised => "raised",
        Verdict::NotRaised => "quiet",
        Verdict::NotChecked => "unknown",
    }
}

fn print_table(table: &Table, html: &mut String) {
    if table.rows.is_empty() {
        return;
    }
    if !table.caption.is_empty() {
        let _ = writeln!(html, "<h3>{}</h3>", escaped(&table.caption));
    }
    let facts = table.head.first().is_some_and(String::is_empty);
    let figures = |at: usize| table.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Figure(_))));
    let _ = write!(html, "<div class=\"scroll\"><table{}>", if facts { " class=\"facts\"" } else { "" });
    // A table of facts about one run needs no head.
    if !(facts && table.head.len() == 2) {
        let name = |(at, name): (usize, &String)| {
            format!("<th{}>{}</th>", if figures(at) { " class=\"n\"" } else { "" }, escaped(name))
        };
        let names: String = table.head.iter().enumerate().map(name).collect();
        let _ = write!(html, "<thead><tr>{names}</tr></thead>");
    }
    html.push_str("<tbody>\n");
    for row in &table.rows {
        let cells: String = row.iter().enumerate().map(|(at, c)| cell(c, at == 0)).collect();
        let _ = writeln!(html, "<tr>{cells}</tr>");
    }
    html.push_str("</tbody></table></div>\n");
    if !table.note.is_empty() {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", worded(&table.note));
    }
}

fn cell(cell: &Cell, first: bool) -> String {
    let tag = if first { "th" } else { "td" };
    match cell {
        Cell::Text(words) => format!("<{tag}>{}</{tag}>", worded(words)),
        Cell::Figure(words) => format!("<{tag} class=\"n\">{}</{tag}>", escaped(words)),
        Cell::Code(words) => format!("<{tag}><code>{}</code></{tag}>", escaped(words)),
        Cell::Missing(words) => format!("<{tag} class=\"missing\">{}</{tag}>", escaped(words)),
    }
}

/// Escapes text and marks its code.
fn worded(words: &str) -> String {
    let span = |(typed, part)| match typed {
        true => format!("<code>{}</code>", escaped(part)),
        false => escaped(part),
    };
    spans(words).into_iter().map(span).collect()
}

/// Escapes everything that HTML or XML would interpret as markup.
pub(super) fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            '\n' | '\t' => text.push(c),
            // XML does not allow these characters.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(worded("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
        assert_eq!(worded("a lone ` stays"), "a lone ` stays");
        assert_eq!(
            escaped("<script>\"a\" & 'b'</script>\u{1b}"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;\u{fffd}"
        );
    }
}
