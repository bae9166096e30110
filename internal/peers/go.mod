module github.com/rehearse-dev/rehearse/internal/peers

go 1.26.0

replace github.com/rehearse-dev/rehearse => ../..

require (
	github.com/rehearse-dev/rehearse v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
