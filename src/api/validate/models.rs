//! Rules for `spec.resourceModels`: grades of nodes that cover every amount exactly once.

use super::FieldError;
use crate::api::Quantity;
use crate::api::cluster::ResourceModel;
use crate::api::quantity::Nanos;

/// The first rule that is broken.
pub(super) fn resource_models(models: &[ResourceModel]) -> Option<FieldError> {
    let broken = models.iter().enumerate().find_map(|(index, model)| {
        let previous = index.checked_sub(1).and_then(|before| models.get(before));
        let last = index + 1 == models.len();
        rule(model, previous, last)
    });
    broken.map(|(model, detail)| {
        FieldError::invalid("spec.resourceModels", format!("grade {}", model.grade), detail)
    })
}

fn rule<'a>(
    model: &'a ResourceModel,
    previous: Option<&ResourceModel>,
    last: bool,
) -> Option<(&'a ResourceModel, &'static str)> {
    if let Some(previous) = previous {
        if previous.grade == model.grade {
            return Some((model, "each grade may be there only once"));
        }
        if previous.ranges.len() != model.ranges.len() {
            return Some((model, "every grade must have the same number of resources"));
        }
    }
    model.ranges.iter().enumerate().find_map(|(index, range)| {
        let (Some(min), Some(max)) = (amount(&range.min), amount(&range.max)) else {
            return Some((model, "min and max must be quantities"));
        };
        if max <= min {
            return Some((model, "max must be greater than min"));
        }
        match previous.and_then(|previous| previous.ranges.get(index)) {
            None if min != Nanos::default() => return Some((model, "min of the first grade must be 0")),
            Some(before) if before.name != range.name => {
                return Some((
                    model,
                    "every grade must have the same resources in the same order",
                ));
            }
            Some(before) if amount(&before.max) != Some(min) => {
                return Some((model, "min must be max of the grade before"));
            }
            None | Some(_) => {}
        }
        (last && max.value() != i64::MAX)
            .then_some((model, "max of the last grade must be 9223372036854775807"))
    })
}

fn amount(quantity: &Quantity) -> Option<Nanos> {
    Nanos::parse(&quantity.0).ok()
}
