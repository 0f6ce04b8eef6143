"""How other sites name the tables and columns of the contract: what `views` looks for, in the order of likelihood."""

from collections.abc import Iterator
from typing import Final

TABLES: Final = {
    "User": "user account member person customer authuser appuser",
    "Profile": "profile userprofile memberprofile datingprofile userdetail userinfo",
    "UserPreference": "userpreference preference profilepreference searchpreference matchpreference filter usersetting",
    "UserBlock": "userblock block blockeduser userblocking blocklist ban",
    "Quiz": "quiz questionnaire test survey",
    "QuizQuestion": "quizquestion question surveyquestion",
    "QuizOption": "quizoption questionoption option answeroption choice questionchoice quizchoice",
    "QuizResult": "quizresult quizattempt quizresponse quizsubmission userquizresult surveyresponse",
    "InterestSubject": "interestsubject interestcategory interestgroup interesttopic subject category",
    "Interest": "interest hobby",
    "UserInterest": "userinterest profileinterest userprofileinterest interestuser interestprofile "
    "userhobby interesttouser interesttoprofile",
    "ProfileRating": "profilerating rating userrating",
    "Top5List": "top5list topfivelist toplist favoritelist",
    "Top5Item": "top5item topfiveitem toplistitem top5listitem favoritelistitem",
    "Match": "match usermatch pairing mutualmatch",
    "Like": "like swipe userlike profilelike decision vote reaction",
    "ProfileAccess": "profileaccess accessrequest profileaccessrequest accessgrant follow follower friendship",
    "Conversation": "conversation chat thread dialog chatroom room",
    "Post": "post statusupdate moment story feedpost",
    "PostMedia": "postmedia postmedium postattachment postimage postphoto mediatopost mediumtopost",
    "LikedPost": "likedpost postlike userlikedpost postreaction favoritepost",
    "Media": "media medium upload attachment asset mediafile mediaitem photo file",
}
"""In lower case, singular, without underscores."""

_TIMES: Final = {
    "createdAt": "createdat created createdon datejoined joinedat insertedat datecreated timestamp",
    "updatedAt": "updatedat updated modifiedat modified lastmodified updatedon editedat createdat created",
    "deletedAt": "deletedat deleted isdeleted removedat discardedat softdeletedat deactivatedat isactive active",
}
_ANY: Final = {
    **_TIMES,
    "id": "id uuid pk",
    "userId": "userid accountid memberid ownerid profileid authorid user owner id",
    "order": "order position sortorder sort rank ordinal idx index number",
    "key": "key slug code name title label",
    "quizId": "quizid questionnaireid surveyid testid quiz",
    "questionId": "questionid quizquestionid question",
    "interestId": "interestid hobbyid interest hobby",
    "subjectId": "subjectid interestsubjectid categoryid interestcategoryid groupid topicid",
    "profileId": "profileid userprofileid userid",
    "postId": "postid post",
    "mediaId": "mediaid mediumid attachmentid uploadid imageid photoid fileid assetid",
}
COLUMNS: Final = {
    ("Profile", "userId"): "userid accountid memberid ownerid user",
    ("Profile", "displayName"): "displayname name nickname username fullname firstname handle",
    ("Profile", "bio"): "bio about aboutme description introduction summary headline",
    ("Profile", "avatarUrl"): "avatarurl avatar photourl picture pictureurl image imageurl photo profilephoto",
    ("Profile", "birthdate"): "birthdate dateofbirth dob birthday bornon bornat",
    ("Profile", "locationText"): "locationtext location city place town address locationname",
    ("Profile", "lat"): "lat latitude geolat",
    ("Profile", "lng"): "lng lon long longitude geolng",
    ("Profile", "gender"): "gender sex genderidentity",
    ("Profile", "intent"): "intent lookingfor relationshipgoal relationshiptype goal seeking",
    ("Profile", "geoPrecision"): "geoprecision locationprecision",
    ("Profile", "locationAccuracy"): "locationaccuracy accuracy",
    (
        "Profile",
        "isVisible",
    ): "isvisible visible ispublic published discoverable isdiscoverable showme isactive hidden ishidden",
    ("UserPreference", "preferredAgeMin"): "preferredagemin minage agemin preferredminage minpreferredage agefrom",
    ("UserPreference", "preferredAgeMax"): "preferredagemax maxage agemax preferredmaxage maxpreferredage ageto",
    (
        "UserPreference",
        "preferredDistanceKm",
    ): "preferreddistancekm maxdistancekm distancekm maxdistance radiuskm "
    "searchradius preferreddistance distance radius",
    (
        "UserPreference",
        "preferredGenders",
    ): "preferredgenders genders interestedin preferredgender genderpreference showgenders interestedingenders",
    ("UserBlock", "blockerId"): "blockerid blockeruserid userid fromuserid ownerid blockedbyid",
    ("UserBlock", "blockedId"): "blockedid blockeduserid targetid targetuserid touserid",
    ("Quiz", "isActive"): "isactive active published ispublished enabled",
    ("QuizQuestion", "prompt"): "prompt text question title body content label",
    ("QuizOption", "value"): "value key code slug text label",
    ("QuizOption", "label"): "label text title name content value",
    ("QuizOption", "traitValues"): "traitvalues traits weights scores",
    ("QuizResult", "answers"): "answers responses answersjson data",
    ("QuizResult", "scoreVec"): "scorevec scores vector scorevector",
    ("UserInterest", "userId"): "userid profileid userprofileid memberid accountid user profile",
    ("ProfileRating", "raterProfileId"): "raterprofileid raterid fromprofileid fromuserid reviewerid userid",
    (
        "ProfileRating",
        "targetProfileId",
    ): "targetprofileid targetid ratedid ratedprofileid toprofileid touserid rateduserid profileid",
    ("ProfileRating", "attractive"): "attractive attractiveness looks",
    ("ProfileRating", "smart"): "smart smartness intelligence",
    ("ProfileRating", "funny"): "funny humor humour",
    ("ProfileRating", "interesting"): "interesting interestingness",
    ("Top5List", "title"): "title name label",
    ("Top5Item", "listId"): "listid top5listid toplistid favoritelistid",
    ("Top5Item", "text"): "text title name value label",
    ("Match", "userAId"): "useraid user1id useroneid firstuserid auserid userid user1 usera initiatorid",
    (
        "Match",
        "userBId",
    ): "userbid user2id usertwoid seconduserid buserid matcheduserid otheruserid partnerid matchid user2 userb",
    ("Match", "state"): "state status",
    ("Like", "fromUserId"): "fromuserid likerid swiperid senderid actorid fromprofileid userid sourceid voterid",
    (
        "Like",
        "toUserId",
    ): "touserid likedid likeduserid swipedid swipeduserid targetuserid targetid recipientid receiverid toprofileid",
    ("Like", "action"): "action direction kind type decision reaction islike liked",
    ("ProfileAccess", "ownerUserId"): "owneruserid ownerid granterid targetid followedid followeeid friendid profileid",
    ("ProfileAccess", "viewerUserId"): "vieweruserid viewerid requesterid granteeid followerid userid",
    ("ProfileAccess", "status"): "status state",
    ("Conversation", "userAId"): "useraid user1id useroneid firstuserid senderid initiatorid userid creatorid",
    ("Conversation", "userBId"): "userbid user2id usertwoid seconduserid recipientid receiverid otheruserid partnerid",
    ("Post", "userId"): "userid authorid ownerid accountid memberid creatorid profileid user author",
    ("Post", "text"): "text body content caption message description title",
    ("Post", "visibility"): "visibility privacy audience ispublic public isprivate private published ispublished",
    ("LikedPost", "userId"): "userid likerid accountid memberid profileid user",
    ("Media", "type"): "type kind mediatype filetype resourcetype mimetype contenttype",
    ("Media", "status"): "status state processingstatus",
    ("Media", "storageKey"): "storagekey key s3key objectkey path filepath filename file url",
    ("Media", "mimeType"): "mimetype contenttype mime",
    ("Media", "sizeBytes"): "sizebytes bytesize filesize size bytes",
    ("Media", "durationSec"): "durationsec durationseconds duration length seconds",
}

TARGETS: Final = {
    "userId": "User",
    "blockerId": "User",
    "blockedId": "User",
    "userAId": "User",
    "userBId": "User",
    "fromUserId": "User",
    "toUserId": "User",
    "ownerUserId": "User",
    "viewerUserId": "User",
    "profileId": "Profile",
    "raterProfileId": "Profile",
    "targetProfileId": "Profile",
    "quizId": "Quiz",
    "questionId": "QuizQuestion",
    "subjectId": "InterestSubject",
    "interestId": "Interest",
    "listId": "Top5List",
    "postId": "Post",
    "mediaId": "Media",
}
"""The table whose ids a column holds."""

CONSTANTS: Final = {
    ("Profile", "isVisible"): "true",
    ("Quiz", "isActive"): "true",
    ("QuizQuestion", "order"): "0",
    ("QuizOption", "order"): "0",
    ("Top5Item", "order"): "0",
    ("PostMedia", "order"): "0",
    ("Interest", "subjectId"): "1",
    ("UserInterest", "subjectId"): "1",
    ("Match", "state"): "'ACTIVE'",
    ("Like", "action"): "'LIKE'",
    ("Post", "visibility"): "'PRIVATE'",
    ("Media", "type"): "'IMAGE'",
    ("Media", "status"): "'READY'",
}
"""What a column holds where the site has none like it; any other holds NULL."""

INSTEAD: Final = {"Profile": ("User",), "UserPreference": ("Profile", "User"), "PostMedia": ("Media",)}
"""Tables that may hold another one's columns, where there is no table of its own."""


def names_of(table: str, column: str) -> Iterator[str]:
    """The names of a column, likely ones first."""
    yield plain(column)
    yield from (COLUMNS.get((table, column)) or _ANY.get(column, "")).split()


def plain(name: str) -> str:
    """A name in lower case without underscores."""
    return name.replace("_", "").lower()


def singular(name: str) -> str:
    """A table's name in lower case, each word in the singular, without underscores."""
    return "".join(_singular(word) for word in name.lower().split("_"))


_PLURALS: Final = (("people", "person"), ("zzes", "z"), ("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"))


def _singular(word: str) -> str:
    for plural, one in _PLURALS:
        if word.endswith(plural):
            return word.removesuffix(plural) + one
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
