package mysql

const journal = "rehearse_load"
