//! What a workload means: replicas, health, status, dependencies.
