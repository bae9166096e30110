package compose

// projectTable has the keys beside those of services.
var projectTable = []section{
	{"The file", "", []row{
		{"name", yes, yes},
		{"version", otherwise("It is obsolete and means nothing."), otherwise("It is obsolete and means nothing.")},
		{"services", yes, yes},
		{"networks", yes, yes},
		{"volumes", yes, yes},
		{"configs", yes, yes},
		{"secrets", yes, yes},
		{"jobs", differs("Jobs with a trigger do not run."), differs("Jobs with a trigger do not run.")},
		{"jobs.*", above, above},
		{"models", differs("No model is served."), differs("No model is served.")},
		{"models.*", above, above},
		{"include", yes, yes},
		{"include.path", yes, yes},
		{"include.project_directory", yes, yes},
		{"include.env_file", yes, yes},
	}},
	{"Networks", "networks.", []row{
		{"name", otherwise(ownNetwork), otherwise(ownNetwork)},
		{"driver", differs(noNetworkDriver).butFor("bridge"), differs(noNetworkDriver).butFor("bridge")},
		{"driver_opts", otherwise(noNetworkDriver), differs("The options of the network's driver are not used: links carry the traffic.")},
		{"ipam", otherwise("Addresses are the environment's own."), differs("Addresses are chosen for each environment, so that several run at once.")},
		{"ipam.driver", above, above},
		{"ipam.config", above, above},
		{"ipam.config.subnet", above, above},
		{"ipam.config.gateway", above, above},
		{"ipam.config.ip_range", above, above},
		{"ipam.config.aux_addresses", above, above},
		{"ipam.options", above, above},
		{"external", differs(outsideNetwork), differs(outsideNetwork)},
		{"internal", otherwise(allInternal), otherwise(allInternal)},
		{"attachable", otherwise(ownNetwork), otherwise(ownNetwork)},
		{"labels", otherwise("There is no network to label."), otherwise("The environment's one network has labels of its own.")},
		{"enable_ipv4", otherwise("Links always have IPv4 addresses."), otherwise("Links always have IPv4 addresses.")},
		{"enable_ipv6", otherwise("Links have IPv4 addresses only."), differs("Links have IPv4 addresses only.")},
	}},
	{"Volumes", "volumes.", []row{
		{"name", otherwise(ownVolume), otherwise(ownVolume)},
		{"driver", otherwise(ownVolume), differs("The volume's driver is not used: the volume is a local one of the environment's own.").butFor("local")},
		{"driver_opts", otherwise(ownVolume), differs("The volume is a local one of the environment's own: what driver_opts lead to is not touched.")},
		{"external", otherwise("It starts empty, and plans say so."), otherwise("It starts empty, and plans say so.")},
		{"labels", otherwise("There is no volume to label."), otherwise("Volumes have the environment's own labels.")},
	}},
	{"Configs", "configs.", objectRows},
	{"Secrets", "secrets.", objectRows},
}

// objectRows are the keys of a config and of a secret.
var objectRows = []row{
	{"name", otherwise("Nothing outside of the environment has a name."), otherwise("Nothing outside of the environment has a name.")},
	{"file", yes, yes},
	{"environment", yes, yes},
	{"content", yes, yes},
	{"external", otherwise(noObject), otherwise(noObject)},
	{"labels", otherwise(swarmOnly), otherwise(swarmOnly)},
	{"driver", otherwise(swarmOnly), otherwise(swarmOnly)},
	{"driver_opts", otherwise(swarmOnly), otherwise(swarmOnly)},
	{"template_driver", otherwise(swarmOnly), otherwise(swarmOnly)},
}

// Sentences that several rows say.
const (
	ownNetwork      = "Networks say which services have links; nothing of that name is made or joined."
	noNetworkDriver = "The network's driver is not used: links carry the traffic."
	outsideNetwork  = "The network exists outside of the project; here it joins the project's own services only."
	allInternal     = "No network leads out of an environment."
	ownVolume       = "Volumes are private to the environment."
	noObject        = "It has no content here, so the file does not exist, and plans say so."
	swarmOnly       = "It is Swarm's."
)
