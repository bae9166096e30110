// Package fidelity measures how truthful each tier of a link is, and holds
// nothing but that measurement: the same exchanges over the kernel's own TCP
// with its packets delayed and lost (tier packet), and over the tiers that only
// imitate it.
package fidelity
