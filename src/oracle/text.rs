//! Splits the text of an oracle at separators outside quotes.

/// The parts of `text` between `separator`s. As in a shell, a separator within `'…'` or `"…"`, or after a backslash, does
/// not split.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn split<'t>(text: &'t str, separator: &str) -> Result<Vec<&'t str>, String> {
    let (mut parts, mut start, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            // Within '…' a backslash is itself.
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, _) if at >= start && text[at..].starts_with(separator) => {
                parts.push(&text[start..at]);
                start = at + separator.len();
            }
            _ => {}
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quote ({open}) is not closed"));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_and_backslashes_protect() {
        assert_eq!(split("a | b|c", "|").unwrap(), ["a ", " b", "c"]);
        assert_eq!(split("sh -c 'x | y' | z", "|").unwrap(), ["sh -c 'x | y' ", " z"]);
        assert_eq!(split(r#"p "a\"|'" | z"#, "|").unwrap(), [r#"p "a\"|'" "#, " z"]);
        assert_eq!(split(r"a \| b", "|").unwrap(), [r"a \| b"]);
        assert_eq!(split(r"'\' | b", "|").unwrap(), [r"'\' ", " b"]);
        assert_eq!(split("a + b +c", " + ").unwrap(), ["a", "b +c"]);
        assert_eq!(split("", "|").unwrap(), [""]);
        assert!(split("it's", "|").unwrap_err().contains("not closed"));
    }
}
