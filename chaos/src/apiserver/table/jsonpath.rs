//! The part of JSONPath that printer columns use: `.a.b`, `['a.b']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Filter {
        path: Vec<String>,
        value: Value,
        negate: bool,
    },
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

impl JsonPath {
    /// `None` if the path uses what is not supported.
    pub(crate) fn parse(text: &str) -> Option<JsonPath> {
        let text = text.trim();
        let text = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .unwrap_or(text);
        let mut rest = text.trim_start_matches('$');
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner)?;
                steps.push(bracket(inner[..end].trim())?);
                rest = &inner[end + 1..];
                continue;
            }
            let name = rest.strip_prefix('.')?;
            let (field, after) = take_field(name);
            match field.as_str() {
                "" if after == name => {
                    return if after.is_empty() {
                        Some(JsonPath(steps))
                    } else {
                        None
                    };
                }
                "*" => steps.push(Step::All),
                _ => steps.push(Step::Field(field)),
            }
            rest = after;
        }
        Some(JsonPath(steps))
    }

    /// Every value the path leads to.
    pub(crate) fn select<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![object];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| advance(step, value)).collect();
        }
        found
    }
}

fn advance<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(at) => {
            let Some(items) = value.as_array() else {
                return Vec::new();
            };
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = if *at < 0 { length.saturating_add(*at) } else { *at };
            usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at))
                .into_iter()
                .collect()
        }
        Step::All => match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) => map.values().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        },
        Step::Filter {
            path,
            value: wanted,
            negate,
        } => {
            let items = value.as_array().into_iter().flatten();
            items
                .filter(|item| {
                    let found = path.iter().try_fold(*item, |value, name| value.get(name));
                    (found == Some(wanted)) != *negate
                })
                .collect()
        }
    }
}

/// The bracket that closes, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (']', None) => return Some(at),
            _ => {}
        }
    }
    None
}

/// A field name up to the next dot or bracket; `\.` is a dot in the name.
fn take_field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

fn bracket(inner: &str) -> Option<Step> {
    if inner == "*" {
        return Some(Step::All);
    }
    if let Some(name) = unquote(inner) {
        return Some(Step::Field(name));
    }
    if let Some(filter) = inner
        .strip_prefix("?(")
        .and_then(|filter| filter.strip_suffix(')'))
    {
        let (path, value, negate) = match filter.split_once("==") {
            Some((path, value)) => (path, value, false),
            None => filter.split_once("!=").map(|(path, value)| (path, value, true))?,
        };
        let path = path
            .trim()
            .strip_prefix("@.")?
            .split('.')
            .map(str::to_owned)
            .collect();
        let value = value.trim();
        let value = match unquote(value) {
            Some(text) => Value::String(text),
            None => serde_json::from_str(value).ok()?,
        };
        return Some(Step::Filter { path, value, negate });
    }
    inner.parse().ok().map(Step::Index)
}

fn unquote(text: &str) -> Option<String> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'')
        .or_else(|| inner('"'))
        .map(|text| text.replace('\\', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(path: &str, expected: Option<Value>) {
        let object = json!({"spec": {"n": 3, "list": [{"type": "A", "v": 1}, {"type": "B", "v": 2}]},
            "metadata": {"labels": {"a.b/c": "x"}}});
        let found =
            JsonPath::parse(path).map(|path| path.select(&object).into_iter().cloned().collect::<Value>());
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn paths() {
        check(".spec.n", Some(json!([3])));
        check("{.spec.n}", Some(json!([3])));
        check(".spec.list[*].v", Some(json!([1, 2])));
        check(".spec.list[-1].type", Some(json!(["B"])));
        check(".spec.list[?(@.type==\"B\")].v", Some(json!([2])));
        check(".spec.list[?(@.type=='A')].v", Some(json!([1])));
        check(".metadata.labels['a\\.b/c']", Some(json!(["x"])));
        check(".metadata.labels.a\\.b/c", Some(json!(["x"])));
        check(".gone.x", Some(json!([])));
        check(".spec.list[?(bogus)]", None);
        check(".spec.list[", None);
        check("..x", None);
    }
}
