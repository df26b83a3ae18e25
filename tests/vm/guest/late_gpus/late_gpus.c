// SPDX-License-Identifier: MIT
/*
 * What drivers of GPUs do when they are loaded, and nothing else: a PCI driver that is called as NVIDIA's binds to
 * QEMU's device "edu"; NVIDIA's nodes have their fixed major, its capability devices and AMD's KFD get majors that the
 * kernel chooses. There is no MODULE_DEVICE_TABLE, so that udev does not load it. NVIDIA's nodes are made by mknod(1).
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>

#define NVIDIA_MAJOR 195

static dev_t nvidia_number, caps_number, kfd_number;
static struct cdev nvidia, caps, kfd;
static struct class kfd_class = { .name = "kfd" };
static const struct file_operations operations = { .owner = THIS_MODULE };
static const struct pci_device_id ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };

static int probe(struct pci_dev *device, const struct pci_device_id *id)
{
	return 0;
}

static struct pci_driver driver = { .name = "nvidia", .id_table = ids, .probe = probe };

static int add(struct cdev *device, dev_t *number, const char *name)
{
	int error = *number ? register_chrdev_region(*number, 1, name) : alloc_chrdev_region(number, 0, 1, name);

	if (error)
		return error;
	cdev_init(device, &operations);
	error = cdev_add(device, *number, 1);
	if (error)
		unregister_chrdev_region(*number, 1);
	return error;
}

static void take_away(struct cdev *device, dev_t number)
{
	cdev_del(device);
	unregister_chrdev_region(number, 1);
}

static int __init load(void)
{
	int error;

	nvidia_number = MKDEV(NVIDIA_MAJOR, 0);
	error = add(&nvidia, &nvidia_number, "nvidia");
	if (error)
		return error;
	error = add(&caps, &caps_number, "nvidia-caps");
	if (error)
		goto no_caps;
	error = add(&kfd, &kfd_number, "kfd");
	if (error)
		goto no_kfd;
	error = class_register(&kfd_class);
	if (error)
		goto no_class;
	if (IS_ERR(device_create(&kfd_class, NULL, kfd_number, NULL, "kfd"))) {
		error = -ENOMEM;
		goto no_device;
	}
	error = pci_register_driver(&driver);
	if (!error)
		return 0;
	device_destroy(&kfd_class, kfd_number);
no_device:
	class_unregister(&kfd_class);
no_class:
	take_away(&kfd, kfd_number);
no_kfd:
	take_away(&caps, caps_number);
no_caps:
	take_away(&nvidia, nvidia_number);
	return error;
}

static void __exit unload(void)
{
	pci_unregister_driver(&driver);
	device_destroy(&kfd_class, kfd_number);
	class_unregister(&kfd_class);
	take_away(&kfd, kfd_number);
	take_away(&caps, caps_number);
	take_away(&nvidia, nvidia_number);
}

module_init(load);
module_exit(unload);
MODULE_DESCRIPTION("What drivers of GPUs do when they are loaded");
MODULE_LICENSE("Dual MIT/GPL");
