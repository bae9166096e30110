module github.com/rehearse-dev/rehearse/internal/peers

go 1.26.0

replace github.com/rehearse-dev/rehearse => ../..

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/quic-go/quic-go v0.65.0
	github.com/rehearse-dev/rehearse v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

require (
	github.com/coder/websocket v1.8.15
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0 // indirect
	google.golang.org/grpc v1.85.0
)
