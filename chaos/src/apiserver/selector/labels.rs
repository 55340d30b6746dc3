//! The grammar of `labelSelector`: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.

/// A conjunction of requirements; empty selects everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

const MAX_REQUIREMENTS: usize = 256;

impl LabelSelector {
    pub(crate) fn matches(&self, labels: &[(Box<str>, Box<str>)]) -> bool {
        self.0.iter().all(|requirement| {
            let found = labels
                .iter()
                .find(|(key, _)| **key == *requirement.key)
                .map(|(_, value)| &**value);
            match &requirement.test {
                Test::In(values) => found.is_some_and(|found| values.iter().any(|value| value == found)),
                Test::NotIn(values) => found.is_none_or(|found| values.iter().all(|value| value != found)),
                Test::Exists => found.is_some(),
                Test::Absent => found.is_none(),
                Test::Greater(than) => found
                    .and_then(|found| found.parse::<i64>().ok())
                    .is_some_and(|n| n > *than),
                Test::Less(than) => found
                    .and_then(|found| found.parse::<i64>().ok())
                    .is_some_and(|n| n < *than),
            }
        })
    }

    /// Reads the text form; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<LabelSelector, String> {
        let parts = split(text).map_err(|why| format!("unable to parse requirement: {why}"))?;
        if parts.len() > MAX_REQUIREMENTS {
            return Err(format!(
                "a selector may have at most {MAX_REQUIREMENTS} requirements"
            ));
        }
        let requirements: Result<Vec<_>, String> = parts.iter().map(|part| requirement(part)).collect();
        Ok(LabelSelector(
            requirements.map_err(|why| format!("unable to parse requirement: {why}"))?,
        ))
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Err(format!("found ')' without '(' in {text:?}")),
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if depth > 0 {
        return Err(format!("missing ')' in {text:?}"));
    }
    parts.push(text[start..].trim());
    if parts == [""] {
        parts.clear();
    }
    Ok(parts)
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let make = |key: &str, test: Test| {
        let key = key.trim();
        valid_key(key)
            .then(|| Requirement {
                key: key.to_owned(),
                test,
            })
            .ok_or_else(|| {
                format!("{key:?} is not a label key: prefix/name of letters, digits, '-', '_' and '.'")
            })
    };
    if let Some(key) = text.strip_prefix('!') {
        return make(key, Test::Absent);
    }
    for (mark, negate) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = text.split_once(mark) {
            let values = vec![valid_value(value)?];
            return make(
                key,
                if negate {
                    Test::NotIn(values)
                } else {
                    Test::In(values)
                },
            );
        }
    }
    for (mark, greater) in [('>', true), ('<', false)] {
        if let Some((key, value)) = text.split_once(mark) {
            let number = value
                .trim()
                .parse()
                .map_err(|_| format!("{value:?} is not an integer in {text:?}"))?;
            return make(
                key,
                if greater {
                    Test::Greater(number)
                } else {
                    Test::Less(number)
                },
            );
        }
    }
    let mut words = text.splitn(2, char::is_whitespace);
    let key = words.next().unwrap_or_default();
    let Some(rest) = words.next().map(str::trim) else {
        // `key in(a)` without the blank.
        return match text.split_once('(') {
            None => make(text, Test::Exists),
            Some(_) => Err(format!(
                "found '(' after the key in {text:?}; expected: in, notin, =, ==, !=, >, <"
            )),
        };
    };
    let (negate, list) = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
        (Some(list), _) => (true, list),
        (None, Some(list)) => (false, list),
        (None, None) => {
            return Err(format!(
                "found {rest:?} after the key; expected: in, notin, =, ==, !=, >, <"
            ));
        }
    };
    let inner = list
        .trim()
        .strip_prefix('(')
        .and_then(|list| list.strip_suffix(')'));
    let inner = inner.ok_or_else(|| format!("expected '(' values ')' in {text:?}"))?;
    let values: Result<Vec<String>, String> = inner.split(',').map(valid_value).collect();
    let values = values?;
    make(
        key,
        if negate {
            Test::NotIn(values)
        } else {
            Test::In(values)
        },
    )
}

fn valid_value(text: &str) -> Result<String, String> {
    let text = text.trim();
    if crate::apiserver::names::is_label_value(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a label value: at most 63 letters, digits, '-', '_' and '.'"
    ))
}

fn valid_key(key: &str) -> bool {
    crate::apiserver::names::is_qualified(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, expected: Result<bool, ()>) {
        let labels: Vec<(Box<str>, Box<str>)> = [("app", "shop"), ("tier", "web"), ("n", "5"), ("a.b/c", "")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let found = LabelSelector::parse(selector)
            .map(|parsed| parsed.matches(&labels))
            .map_err(|_| ());
        assert_eq!(found, expected, "{selector}");
    }

    #[test]
    fn the_grammar() {
        for selector in [
            "",
            "app=shop",
            "app==shop",
            "app!=x",
            "gone!=x",
            "app",
            "!gone",
            "a.b/c",
            "a.b/c=",
            "app in (x, shop)",
            "tier notin (x,y)",
            "gone notin (x)",
            "n>4",
            "n<6",
            "app=shop,tier in (web),!z",
        ] {
            check(selector, Ok(true));
        }
        for selector in [
            "app=x",
            "gone",
            "!app",
            "app notin (shop)",
            "gone in (a)",
            "n>5",
            "app>1",
        ] {
            check(selector, Ok(false));
        }
        for selector in [
            "app in x",
            "app in (x",
            "=x",
            "a b",
            "app=a b",
            "app)",
            "n>x",
            ",",
            "app in (a),,",
        ] {
            check(selector, Err(()));
        }
    }
}
