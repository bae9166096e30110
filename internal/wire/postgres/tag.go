package postgres

// command splits the tag of a CommandComplete, as "INSERT 0 5", into the command
// and its rows, -1 where it counts none. The common ones cost no allocation.
func command(tag []byte) (name string, rows int64) {
	rows = -1
	for {
		i := len(tag)
		n, unit := int64(0), int64(1)
		for i > 0 && tag[i-1] >= '0' && tag[i-1] <= '9' && unit < 1e18 {
			i--
			n += unit * int64(tag[i]-'0')
			unit *= 10
		}
		if i == len(tag) || i == 0 || tag[i-1] != ' ' {
			return commandName(tag), rows
		}
		if rows < 0 {
			rows = n
		}
		tag = tag[:i-1]
	}
}

func commandName(b []byte) string {
	switch string(b) {
	case "SELECT":
		return "SELECT"
	case "INSERT":
		return "INSERT"
	case "UPDATE":
		return "UPDATE"
	case "DELETE":
		return "DELETE"
	case "MERGE":
		return "MERGE"
	case "BEGIN":
		return "BEGIN"
	case "START TRANSACTION":
		return "START TRANSACTION"
	case "COMMIT":
		return "COMMIT"
	case "ROLLBACK":
		return "ROLLBACK"
	case "SAVEPOINT":
		return "SAVEPOINT"
	case "RELEASE":
		return "RELEASE"
	case "SET":
		return "SET"
	case "SHOW":
		return "SHOW"
	case "FETCH":
		return "FETCH"
	case "COPY":
		return "COPY"
	case "CALL":
		return "CALL"
	case "DO":
		return "DO"
	case "DISCARD ALL":
		return "DISCARD ALL"
	case "DEALLOCATE":
		return "DEALLOCATE"
	case "LISTEN":
		return "LISTEN"
	case "NOTIFY":
		return "NOTIFY"
	}
	return string(b)
}

// sqlState is the code of an ErrorResponse, the beginning of whose body is b.
func sqlState(b []byte) string {
	for len(b) > 1 {
		field := b[0]
		var value []byte
		value, b = text(b[1:])
		if field == 'C' {
			return string(value)
		}
	}
	return unknownState
}

// unknownState stands for an error without a code: PostgreSQL's own for an
// internal error.
const unknownState = "XX000"
