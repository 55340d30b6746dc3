//! From a list of faults that breaks something to a shorter one that still does (delta debugging, Zeller 2002).

/// The shortest list found with at most `most_runs` tries. `fails` runs the world with some of the faults.
///
/// The answer fails, and where the tries sufficed no single fault can be left out of it.
pub fn shrink<F: Clone>(faults: &[F], most_runs: usize, mut fails: impl FnMut(&[F]) -> bool) -> Vec<F> {
    let mut kept = faults.to_vec();
    let mut runs = 0;
    let mut piece = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < kept.len() {
            if runs >= most_runs {
                return kept;
            }
            runs += 1;
            let without: Vec<F> = kept
                .iter()
                .enumerate()
                .filter(|(index, _)| !(at..at + piece).contains(index))
                .map(|(_, fault)| fault.clone())
                .collect();
            if fails(&without) {
                kept = without;
                shorter = true;
            } else {
                at += piece;
            }
        }
        if piece == 1 && !shorter {
            return kept;
        }
        piece = piece.div_ceil(2).min(kept.len().max(1));
        if kept.is_empty() {
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_takes_is_left() {
        let all: Vec<u32> = (0..20).collect();
        let mut runs = 0;
        let kept = shrink(&all, 1_000, |some| {
            runs += 1;
            some.contains(&3) && some.contains(&17)
        });
        assert_eq!(kept, [3, 17]);
        assert!(runs < 60, "{runs} runs");
        assert!(shrink(&all, 1_000, |_| true).is_empty());
        assert_eq!(shrink(&all, 0, |_| true), all);
        assert!(shrink(&[] as &[u32], 10, |_| true).is_empty());
    }
}
