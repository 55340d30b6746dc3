//! Which clusters get how many replicas: filter, score, spread, divide.
