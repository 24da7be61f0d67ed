// A module that brings cloud-init's schema of user data, as it is in cloud-init itself: read as data,
// never compiled. cloud-init is in no package registry that works on every machine.
module llmp/tools/cloud-init

go 1.26.0

require github.com/vmware-tanzu/vm-operator v1.9.0
