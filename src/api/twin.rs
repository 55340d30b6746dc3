//! Cluster-scoped siblings of namespaced kinds: the same spec under another name.

/// Declares a cluster-scoped kind that shares group, version, spec and status with a namespaced one.
macro_rules! cluster_twin {
    ($(#[$doc:meta])* $kind:ident of $sibling:ident { $spec:ty $(, $status:ty)? }, plural $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $kind {
            /// Group and version.
            #[serde(default)]
            pub api_version: String,
            /// Kind.
            #[serde(default)]
            pub kind: String,
            /// Standard object metadata.
            pub metadata: kube::core::ObjectMeta,
            /// What is wanted.
            pub spec: $spec,
            $(
                /// What is.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub status: Option<$status>,
            )?
        }

        impl $kind {
            /// An object of this kind without a status.
            pub fn new(name: &str, spec: $spec) -> Self {
                Self {
                    api_version: <$sibling as kube::Resource>::api_version(&()).into_owned(),
                    kind: stringify!($kind).into(),
                    metadata: kube::core::ObjectMeta { name: Some(name.into()), ..Default::default() },
                    spec,
                    $( status: None::<$status>, )?
                }
            }
        }

        impl kube::Resource for $kind {
            type DynamicType = ();
            type Scope = kube::core::ClusterResourceScope;

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                stringify!($kind).into()
            }

            fn group(dynamic: &()) -> std::borrow::Cow<'_, str> {
                <$sibling as kube::Resource>::group(dynamic)
            }

            fn version(dynamic: &()) -> std::borrow::Cow<'_, str> {
                <$sibling as kube::Resource>::version(dynamic)
            }

            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &kube::core::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}
pub(super) use cluster_twin;
