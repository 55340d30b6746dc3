//! The kinds of fault and what each means.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::SpecError;

/// What is wrong with a cluster, or with the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// All sockets of the cluster are silent and its pods are lost; they start anew when power returns.
    PowerOff,
    /// All sockets are silent both ways; the pods run on.
    BlackHole,
    /// The API server is silent; the ingress VIP serves.
    ApiDown,
    /// The ingress VIP refuses connections; the API server lives.
    VipDown,
    /// Every response of the cluster comes later by a fixed delay.
    Slow,
    /// The controller stands still; no cluster is touched.
    ControllerDown,
}

impl FaultKind {
    /// Every kind, in the order shown to users.
    pub const ALL: [Self; 6] = [
        Self::PowerOff,
        Self::BlackHole,
        Self::ApiDown,
        Self::VipDown,
        Self::Slow,
        Self::ControllerDown,
    ];

    /// The word used on the command line, in JSON and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PowerOff => "power-off",
            Self::BlackHole => "black-hole",
            Self::ApiDown => "api-down",
            Self::VipDown => "vip-down",
            Self::Slow => "slow",
            Self::ControllerDown => "controller-down",
        }
    }

    /// One line for help texts.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PowerOff => "all sockets of the cluster silent, its pods lost",
            Self::BlackHole => "all sockets of the cluster silent both ways, its pods run on",
            Self::ApiDown => "the API server silent, the VIP serves",
            Self::VipDown => "the VIP refuses connections, the API server lives",
            Self::Slow => "every response of the cluster delayed",
            Self::ControllerDown => "the controller stands still, no cluster is touched",
        }
    }

    /// Whether the fault names clusters.
    pub const fn needs_clusters(self) -> bool {
        !matches!(self, Self::ControllerDown)
    }

    /// Whether users can no longer reach an application there.
    pub const fn stops_traffic(self) -> bool {
        matches!(self, Self::PowerOff | Self::BlackHole | Self::VipDown)
    }

    /// Whether the control plane can no longer reach the cluster's API server.
    pub const fn stops_control(self) -> bool {
        matches!(self, Self::PowerOff | Self::BlackHole | Self::ApiDown)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for FaultKind {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| SpecError::UnknownKind {
                given: text.to_owned(),
            })
    }
}
