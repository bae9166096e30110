package rehearse

// DataSpec is a dataset that a service starts with: what is put into its
// database after the image's own initialisation scripts. It is made once for
// everything that it depends on, and every environment gets a copy of its own.
type DataSpec struct {
	Name string `json:"name"`
	// Profile is the data profile that rows are generated from, and PlanFile
	// what says how, both absolute. With neither, the files below are all.
	Profile  string  `json:"profile,omitempty"`
	PlanFile string  `json:"planFile,omitempty"`
	Scale    float64 `json:"scale,omitempty"` // 1 is as large as the profile says
	Seed     uint64  `json:"seed,omitempty"`
	// Rows is how many an ordinary table has that the profile does not have.
	Rows int64 `json:"rows,omitempty"`
	// Without are aspects of production's data that the rows do not have.
	Without []Aspect `json:"without,omitempty"`
	// Before and After are files that run before the generation and after it, in
	// order: *.sql, *.sql.gz, or *.sh, as the image's own scripts.
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
	// Migrations are SQL files of a change to the schema. They run on each
	// environment's own copy.
	Migrations []string `json:"migrations,omitempty"`
	// Churn is how many times production's rate of writes runs during loads; 0:
	// none.
	Churn float64 `json:"churn,omitempty"`
}

// Generates reports whether rows are generated.
func (d *DataSpec) Generates() bool { return d.Profile != "" || d.PlanFile != "" || d.Rows > 0 }
