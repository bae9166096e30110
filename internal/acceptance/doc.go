// Package acceptance runs the product as the README says, on the case study.
package acceptance
