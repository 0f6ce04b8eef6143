"""The known formats: some are parsed, the others only recognised, to be refused by name."""

from dataclasses import dataclass

from sitejobs.media.attributes import AUDIO, IMAGE, VIDEO

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Format:
    """A container. `kind` None: its tracks decide between VIDEO and AUDIO; `parsed`: its content is read.

    `title` explains the name to people.
    """

    name: str
    kind: str | None
    mime: str
    sound_mime: str | None = None
    parsed: bool = True
    title: str = ""

    @property
    def shown(self) -> str:
        """The name, with its title if it has one."""
        return f"{self.name} ({self.title})" if self.title else self.name


def _named(name: str, kind: str | None, mime: str, title: str = "") -> Format:
    """A format that is recognised so that it can be refused by its name."""
    return Format(name, kind, mime, parsed=False, title=title)


_PARSED = (
    Format("jpeg", IMAGE, "image/jpeg"),
    Format("png", IMAGE, "image/png"),
    Format("gif", IMAGE, "image/gif"),
    Format("webp", IMAGE, "image/webp"),
    Format("heic", IMAGE, "image/heic"),
    Format("avif", IMAGE, "image/avif"),
    Format("tiff", IMAGE, "image/tiff"),
    Format("bmp", IMAGE, "image/bmp"),
    Format("mp4", None, "video/mp4", "audio/mp4"),
    Format("m4a", AUDIO, "audio/mp4", "audio/mp4"),
    Format("mov", None, "video/quicktime", "audio/quicktime"),
    Format("mkv", None, "video/x-matroska", "audio/x-matroska"),
    Format("webm", None, "video/webm", "audio/webm"),
    Format("avi", VIDEO, "video/x-msvideo"),
    Format("ts", None, "video/mp2t", "audio/mp2t"),
    Format("mp3", AUDIO, "audio/mpeg"),
    Format("aac", AUDIO, "audio/aac"),
    Format("ogg", None, "video/ogg", "audio/ogg"),
    Format("flac", AUDIO, "audio/flac"),
    Format("wav", AUDIO, "audio/wav"),
)
_IMAGES = (
    _named("svg", IMAGE, "image/svg+xml"),
    _named("jxl", IMAGE, "image/jxl", "JPEG XL"),
    _named("jp2", IMAGE, "image/jp2", "JPEG 2000"),
    _named("jxr", IMAGE, "image/jxr", "JPEG XR"),
    _named("ico", IMAGE, "image/vnd.microsoft.icon", "Windows icon"),
    _named("icns", IMAGE, "image/icns", "macOS icon"),
    _named("psd", IMAGE, "image/vnd.adobe.photoshop", "Photoshop"),
    _named("xcf", IMAGE, "image/x-xcf", "GIMP"),
    _named("exr", IMAGE, "image/x-exr", "OpenEXR"),
    _named("hdr", IMAGE, "image/vnd.radiance", "Radiance"),
    _named("dds", IMAGE, "image/vnd.ms-dds", "DirectDraw"),
    _named("qoi", IMAGE, "image/qoi"),
    _named("pnm", IMAGE, "image/x-portable-anymap", "pbm, pgm, ppm"),
    _named("emf", IMAGE, "image/emf", "Windows metafile"),
    _named("wmf", IMAGE, "image/wmf", "Windows metafile"),
    _named("eps", IMAGE, "application/postscript", "PostScript"),
    _named("pdf", None, "application/pdf", "a document"),
    _named("djvu", None, "image/vnd.djvu", "a document"),
    _named("dng", IMAGE, "image/x-adobe-dng", "camera raw"),
    _named("cr2", IMAGE, "image/x-canon-cr2", "Canon camera raw"),
    _named("cr3", IMAGE, "image/x-canon-cr3", "Canon camera raw"),
    _named("crw", IMAGE, "image/x-canon-crw", "Canon camera raw"),
    _named("nef", IMAGE, "image/x-nikon-nef", "Nikon camera raw"),
    _named("arw", IMAGE, "image/x-sony-arw", "Sony camera raw"),
    _named("pef", IMAGE, "image/x-pentax-pef", "Pentax camera raw"),
    _named("orf", IMAGE, "image/x-olympus-orf", "Olympus camera raw"),
    _named("rw2", IMAGE, "image/x-panasonic-rw2", "Panasonic camera raw"),
    _named("raf", IMAGE, "image/x-fuji-raf", "Fujifilm camera raw"),
    _named("x3f", IMAGE, "image/x-sigma-x3f", "Sigma camera raw"),
)
_FILMS = (
    _named("flv", VIDEO, "video/x-flv", "Flash video"),
    _named("swf", VIDEO, "application/x-shockwave-flash", "Flash"),
    Format("asf", None, "video/x-ms-asf", "audio/x-ms-wma", parsed=False, title="Windows Media: wma, wmv"),
    _named("mpg", VIDEO, "video/mpeg", "MPEG program stream"),
    _named("mxf", VIDEO, "application/mxf"),
    _named("rm", VIDEO, "video/vnd.rn-realvideo", "RealMedia"),
    _named("wtv", VIDEO, "video/x-ms-wtv", "Windows TV recording"),
    _named("dv", VIDEO, "video/x-dv", "camcorder DV"),
    _named("ivf", VIDEO, "video/x-ivf"),
    _named("nut", VIDEO, "video/x-nut"),
    _named("y4m", VIDEO, "video/x-raw", "raw pictures"),
    _named("h264", VIDEO, "video/h264", "raw H.264 without a container"),
    _named("hevc", VIDEO, "video/h265", "raw HEVC without a container"),
    _named("mj2", VIDEO, "video/mj2", "Motion JPEG 2000"),
)
_SOUNDS = (
    _named("aiff", AUDIO, "audio/aiff"),
    _named("caf", AUDIO, "audio/x-caf", "Core Audio"),
    _named("amr", AUDIO, "audio/amr"),
    _named("ra", AUDIO, "audio/vnd.rn-realaudio", "RealAudio"),
    _named("au", AUDIO, "audio/basic"),
    _named("midi", AUDIO, "audio/midi"),
    _named("ape", AUDIO, "audio/x-ape", "Monkey's Audio"),
    _named("wv", AUDIO, "audio/x-wavpack", "WavPack"),
    _named("tta", AUDIO, "audio/x-tta", "True Audio"),
    _named("mpc", AUDIO, "audio/x-musepack", "Musepack"),
    _named("tak", AUDIO, "audio/x-tak"),
    _named("dsf", AUDIO, "audio/x-dsf", "DSD"),
    _named("dff", AUDIO, "audio/x-dff", "DSD"),
    _named("w64", AUDIO, "audio/x-w64", "Sony Wave64"),
    _named("voc", AUDIO, "audio/x-voc", "Creative Voice"),
    _named("8svx", AUDIO, "audio/x-8svx", "Amiga sound"),
    _named("qcp", AUDIO, "audio/qcelp"),
    _named("ac3", AUDIO, "audio/ac3", "Dolby Digital"),
    _named("dts", AUDIO, "audio/vnd.dts"),
    _named("latm", AUDIO, "audio/mp4a-latm", "AAC in LOAS"),
    _named("xm", AUDIO, "audio/x-mod", "tracker music"),
)
FORMATS: dict[str, Format] = {form.name: form for form in (*_PARSED, *_IMAGES, *_FILMS, *_SOUNDS)}
