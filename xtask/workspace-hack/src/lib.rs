//! No code. The manifest names features, so that the programs and their tests share one build of each dependency.
