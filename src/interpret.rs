//! What a workload means: replicas, health, status, dependencies. (Being written by the propagation author, not by the scheduler's author.)
