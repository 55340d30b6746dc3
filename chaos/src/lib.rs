//! Simulated Kubernetes clusters, fault injection and drills
