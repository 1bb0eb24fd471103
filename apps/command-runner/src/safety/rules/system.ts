import { isKnown } from '../shell/text.ts';
import { type Invocation, names, Options, type Rule } from './rule.ts';

const always = () => true;

/** Whether the first argument that is no option is one of these. */
function verb({ args }: Invocation, ...verbs: string[]): boolean {
  const first = args.find((arg) => !arg.startsWith('-'));
  return first !== undefined && verbs.includes(first);
}

/** Processes that `kill` is sent at, as written. */
function killed(args: readonly string[]): string[] {
  const rest = [...args];
  if (/^-[sn]$/.test(rest[0] ?? '')) rest.splice(0, 2);
  else if (rest.length > 1 && /^-[^-]/.test(rest[0] ?? '')) rest.shift();
  return rest.filter((arg) => arg !== '--');
}

/** Rules about the machine itself. */
export const systemRules: Rule[] = [
  {
    programs: names('sudo doas su runuser pkexec sudoedit'),
    warning: 'Command asks for the rights of another user',
    suggestions: ['Run it without these rights, or ask an administrator of the machine'],
    applies: always,
  },
  {
    programs: names('shutdown reboot halt poweroff init telinit systemctl'),
    warning: 'Command attempts to stop or restart the machine',
    suggestions: ["Use 'uptime' to see how long it has been running"],
    applies: (invocation) => {
      const { program } = invocation;
      if (program === 'systemctl') {
        return verb(invocation, ...names('poweroff reboot halt kexec rescue emergency suspend hibernate isolate exit'));
      }
      return /init$/.test(program) ? verb(invocation, ...names('0 1 6 s S u U q Q')) : true;
    },
  },
  {
    programs: names('systemctl service rc-service initctl launchctl'),
    warning: 'Command attempts to change the services of the machine',
    suggestions: ["Use 'systemctl status' to see how a service is"],
    applies: ({ args }) =>
      args.some((arg) => /^(?:start|stop|restart|reload|disable|enable|mask|kill|unload|bootout|remove)$/.test(arg)),
  },
  {
    programs: names(
      'mkfs mke2fs mkfs.ext2 mkfs.ext3 mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mkfs.fat mkfs.ntfs mkfs.f2fs mkswap wipefs blkdiscard fdisk sfdisk cfdisk gdisk sgdisk parted lvremove vgremove pvremove lvreduce mdadm cryptsetup dmsetup zpool zfs hdparm nvme badblocks debugfs tune2fs resize2fs fsck e2fsck swapoff swapon',
    ),
    destructive: true,
    warning: 'Command attempts to change disks or file systems',
    suggestions: ["Use 'lsblk' to list disks", "Use 'df -h' to see how full they are"],
    applies: ({ args }) => {
      const options = new Options(args);
      return !(options.has('l', '--list', '--version', '--help') || options.operands.some((each) => each === 'list'));
    },
  },
  {
    programs: names('mount umount losetup pivot_root chroot nsenter'),
    warning: 'Command attempts to change what is mounted, or which files are seen',
    suggestions: ["Use 'findmnt' to list what is mounted"],
    applies: ({ program, args }) => !(program === 'mount' && new Options(args).operands.length === 0),
  },
  {
    programs: names('insmod rmmod modprobe kexec sysctl grub-install update-grub efibootmgr'),
    warning: 'Command attempts to change the kernel',
    suggestions: ["Use 'lsmod' to list its modules", "Use 'sysctl -a' to list its settings"],
    applies: ({ program, args }) =>
      program !== 'sysctl' || args.some((arg) => arg.includes('=') || /^(?:-w|-p|--write|--system|--load)/.test(arg)),
  },
  {
    programs: names('iptables ip6tables iptables-restore nft ufw firewall-cmd ip ifconfig route'),
    warning: 'Command attempts to change the network of the machine',
    suggestions: ["Use 'ip address' to list its addresses", "Use 'iptables -L' to list its rules"],
    applies: ({ program, args }) => {
      if (program === 'ip') return args.some((arg) => /^(?:set|del|delete|add|flush|change|replace)$/.test(arg));
      if (program === 'ifconfig' || program === 'route')
        return args.some((arg) => /^(?:down|up|del|add|flush)$/.test(arg));
      return !args.some((arg) => /^(?:-[LS]|-\w*L\w*|--list\S*|list|status|--state|--get\S*|--version)$/.test(arg));
    },
  },
  {
    programs: names(
      'useradd adduser userdel deluser usermod groupadd groupdel groupmod passwd chpasswd chsh visudo vipw',
    ),
    warning: 'Command attempts to change the accounts of the machine',
    suggestions: ["Use 'id' to see which account commands run as"],
    applies: always,
  },
  {
    programs: ['crontab'],
    warning: 'Command attempts to change the schedule of the machine',
    suggestions: ["Use 'crontab -l' to list it"],
    applies: ({ args }) => !new Options(args).has('l'),
  },
  {
    programs: ['kill'],
    warning: 'Command attempts to end processes that are not its own',
    suggestions: ["Use 'kill' with the id of a process that the command started"],
    applies: ({ args, place }) => killed(args).some((id) => ['1', '-1', ...place.runnerPids.map(String)].includes(id)),
  },
  {
    programs: names('killall killall5 pkill skill slay'),
    warning: 'Command attempts to end processes by their name, whoever started them',
    suggestions: ["Use 'kill' with the id of a process that the command started", "Use 'pgrep' to list processes"],
    applies: ({ args }) => !new Options(args).has('l', '--list', '--version', '--help'),
  },
  {
    programs: names('docker podman nerdctl'),
    warning: 'Command starts a container that has power over the machine',
    suggestions: ["Use 'docker run' without --privileged, with a directory of the workspace as its volume"],
    applies: ({ args }) =>
      args.some((arg) => /^(?:run|create|exec)$/.test(arg)) &&
      args.some((arg, index) => {
        const value = /^(?:-v|--volume|--mount|--pid|--cap-add|--device)$/.test(arg)
          ? `${arg}=${args[index + 1]}`
          : arg;
        return (
          /^--privileged(?!=false)|^--pid=host|^--cap-add=(?:ALL|(?:CAP_)?SYS_\w+)|^--device=\/dev/i.test(value) ||
          (isKnown(value) && /^(?:-v|--volume)=?\/(?:etc|proc|sys|dev|boot|usr|var\/run\S*)?\/?:/.test(value)) ||
          /^--mount=.*\b(?:source|src)=\/(?:etc|proc|sys|dev|boot|usr|var\/run\S*)?(?:,|$)/.test(value)
        );
      }),
  },
];
