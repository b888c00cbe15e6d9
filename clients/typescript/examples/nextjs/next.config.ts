import type { NextConfig } from 'next';

// This folder lies inside of another package, whose lock file would be taken for the project's.
const config: NextConfig = { turbopack: { root: import.meta.dirname } };

export default config;
