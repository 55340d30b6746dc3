//! Choosing groups of clusters: enough of them, with enough members, of the greatest weight.

/// A group: its name, how many clusters it has, its score.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Value of the field that makes the group.
    pub name: String,
    /// Clusters in it.
    pub value: i64,
    /// Its score.
    pub weight: i64,
}

/// Steps of the search after which what was found must do; far beyond any real number of regions.
const MAX_STEPS: usize = 1 << 18;

/// Names of the best set of `min..=max` groups with at least `target` members; empty when there is none.
///
/// Sets are searched depth first from the smallest groups up, and a set is not extended once it satisfies the
/// limits. The heaviest wins; a feasible prefix of it (heaviest groups first) is enough and replaces it.
pub fn select_groups(groups: &[Group], min: i64, max: i64, target: i64) -> Vec<String> {
    let minimum = usize::try_from(min).unwrap_or_default();
    let maximum = usize::try_from(max).unwrap_or_default();
    if groups.is_empty() || groups.len() < minimum {
        return Vec::new();
    }
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by(|left, right| {
        left.value
            .cmp(&right.value)
            .then(right.weight.cmp(&left.weight))
            .then_with(|| left.name.as_bytes().cmp(right.name.as_bytes()))
    });
    let mut search = Search {
        groups: &sorted,
        minimum,
        maximum,
        target,
        path: Vec::new(),
        found: Vec::new(),
        steps: 0,
    };
    search.descend(0, 0);
    let mut found = search.found;
    for path in &mut found {
        path.sort_by(|left, right| {
            right
                .weight
                .cmp(&left.weight)
                .then_with(|| left.name.as_bytes().cmp(right.name.as_bytes()))
        });
    }
    let sum = |path: &[&Group], of: fn(&Group) -> i64| path.iter().map(|group| of(group)).sum::<i64>();
    found.sort_by(|left, right| {
        let weight = sum(right, |group| group.weight).cmp(&sum(left, |group| group.weight));
        weight.then_with(|| sum(right, |group| group.value).cmp(&sum(left, |group| group.value)))
    });
    let Some((heaviest, others)) = found.split_first() else {
        return Vec::new();
    };
    let shorter =
        |best: &&Vec<&Group>, path: &&Vec<&Group>| path.len() < best.len() && best.starts_with(path);
    let best = others.iter().fold(
        heaviest,
        |best, path| if shorter(&best, &path) { path } else { best },
    );
    best.iter().map(|group| group.name.clone()).collect()
}

struct Search<'a> {
    groups: &'a [&'a Group],
    minimum: usize,
    maximum: usize,
    target: i64,
    path: Vec<&'a Group>,
    found: Vec<Vec<&'a Group>>,
    steps: usize,
}

impl Search<'_> {
    fn descend(&mut self, sum: i64, begin: usize) {
        if sum >= self.target && (self.minimum..=self.maximum).contains(&self.path.len()) {
            self.found.push(self.path.clone());
            return;
        }
        if self.path.len() >= self.maximum {
            return;
        }
        for index in begin..self.groups.len() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return;
            }
            let group = self.groups[index];
            self.path.push(group);
            self.descend(sum.saturating_add(group.value), index + 1);
            self.path.pop();
            if self.groups.len() == self.minimum {
                break;
            }
        }
    }
}
