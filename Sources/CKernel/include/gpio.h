#ifndef BAUDGATE_GPIO_H
#define BAUDGATE_GPIO_H
#include <linux/gpio.h>

/* The GPIO character device, ABI v2 (Linux 5.10 and later): one function per ioctl. All return 0, or -1 with errno set.
   Source: <linux/gpio.h>, Documentation/userspace-api/gpio/chardev.rst. */

/* GPIO_GET_CHIPINFO; ENOTTY for what is no GPIO chip. */
int bg_gpio_chip_info(int chip, struct gpiochip_info *info);
/* GPIO_V2_GET_LINEINFO of the line `info->offset`: its consumer among other things. */
int bg_gpio_line_info(int chip, struct gpio_v2_line_info *info);
/* GPIO_V2_GET_LINE; `request->fd` is the lines' descriptor, which outlives the chip's. EBUSY: somebody holds a line;
   ENXIO: no interrupt for an input whose edges are asked for; ENOTTY or EINVAL: an older kernel. */
int bg_gpio_request_line(int chip, struct gpio_v2_line_request *request);
/* GPIO_V2_LINE_GET_VALUES of the lines in `values->mask`. */
int bg_gpio_get_values(int line, struct gpio_v2_line_values *values);
/* GPIO_V2_LINE_SET_VALUES of the lines in `values->mask`. */
int bg_gpio_set_values(int line, const struct gpio_v2_line_values *values);
#endif
